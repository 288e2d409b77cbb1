"""Makes apps/demo/sample/austen.txt: the beginning of Pride and Prejudice (Jane Austen, 1813; public domain), a sentence a line and a
blank line after each paragraph.

From the Debian package r-cran-janeaustenr, version 1.0.0-1 (texts of Project Gutenberg; the package is under the MIT licence):

    apt-get download r-cran-janeaustenr && dpkg -x r-cran-janeaustenr_*.deb austen
    python3 tooling/austen-sample.py austen apps/demo/sample/austen.txt
"""

import re
import struct
import sys
import zlib
from pathlib import Path

BYTES = 160_000
STRINGS, STRING = 16, 9  # SEXP types of R's serialization: a vector of strings, and one


def chunks(data: bytes):
    """Values of a lazy-load database: a length and a zlib stream each."""
    at = 0
    while at < len(data):
        stream = zlib.decompressobj()
        yield stream.decompress(data[at + 4 :])
        at = len(data) - len(stream.unused_data)


def lines(value: bytes) -> list[str]:
    """A vector of strings in R's XDR serialization, version 2 or 3."""
    assert value[:2] == b"X\n", value[:2]
    version, at = struct.unpack_from(">i", value, 2)[0], 14
    if version == 3:
        at += 4 + struct.unpack_from(">i", value, at)[0]
    kind, count = struct.unpack_from(">ii", value, at)
    assert kind & 255 == STRINGS, kind
    at += 8
    out = []
    for _ in range(count):
        flags, length = struct.unpack_from(">ii", value, at)
        assert flags & 255 == STRING, flags
        out.append(value[at + 8 : at + 8 + length].decode("utf-8"))
        at += 8 + length
    return out


def main(package: str, out: str) -> None:
    database = Path(package, "usr/lib/R/site-library/janeaustenr/data/Rdata.rdb").read_bytes()
    book = next(text for text in map(lines, chunks(database)) if text[0] == "PRIDE AND PREJUDICE")
    start = next(i for i, line in enumerate(book) if line.startswith("It is a truth universally acknowledged"))
    paragraphs = [" ".join(p.split()) for p in "\n".join(book[start:]).split("\n\n")]
    prose = [p.replace("_", "") for p in paragraphs if p and not re.fullmatch(r"Chapter \d+|VOLUME .*", p)]
    text, size = [], 0
    for paragraph in prose:
        whole = re.sub(r'(?<=[.!?])(?<!Mr\.)(?<!Mrs\.)(?<!Dr\.)("?) +(?=["A-Z])', r"\1\n", paragraph) + "\n\n"
        if size + len(whole.encode()) > BYTES:
            break
        text.append(whole)
        size += len(whole.encode())
    Path(out).write_text("".join(text).rstrip("\n") + "\n", encoding="utf-8")


main(*sys.argv[1:])
