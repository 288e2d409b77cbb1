/** Bytes that are recognisably no UTF-8 text: what people pass by mistake, and what to do with it. */
import { FormatError } from "@cloze/errors";

const UTF16 = "UTF-16; convert it with iconv -f UTF-16 -t UTF-8";

/** The first bytes of other formats, one character a byte, and the format's name for the error message. */
const FORMATS: readonly (readonly [string, string])[] = [
  ["\xff\xfe", UTF16],
  ["\xfe\xff", UTF16],
  ["%PDF", "a PDF"],
  ["PK\x03\x04", "a zip archive; unpack it"],
  ["BZh", "bzip2; decompress it with bunzip2"],
  ["\x1f\x8b", "gzip inside gzip"],
  ["\xfd7zXZ", "xz; decompress it with unxz"],
  ["\x28\xb5\x2f\xfd", "zstd; decompress it with unzstd"],
  ["PAR1", "Parquet; name the format parquet"],
];

/** The format that the first bytes of a file tell, if it is none of text. */
export function mistakenFormat(bytes: Uint8Array): string | undefined {
  const head = String.fromCharCode(...bytes.subarray(0, 8));
  return FORMATS.find(([start]) => head.startsWith(start))?.[1] ?? (isWide(bytes) ? UTF16 : undefined);
}

/** Whether the bytes begin as two ASCII characters in UTF-16 without a byte-order mark. */
function isWide([a, b, c, d]: Uint8Array): boolean {
  const zeros = [a, b, c, d].map((byte) => (byte === undefined ? "-" : byte === 0 ? "0" : "x")).join("");
  return zeros === "x0x0" || zeros === "0x0x";
}

/** Throws FormatError if the first bytes of a file are those of another format. */
export function expectText(bytes: Uint8Array, file: string): void {
  const known = mistakenFormat(bytes);
  if (known !== undefined)
    throw new FormatError(file, "line 1", `expected UTF-8 text, got bytes that look like ${known}.`);
}

/**
 * The text of a whole file: UTF-8, without its byte-order mark, and every line end as "\n". Throws FormatError for
 * bytes of another format.
 */
export function decodeText(bytes: Uint8Array, file: string): string {
  expectText(bytes, file);
  return new TextDecoder().decode(bytes).replace(/\r\n?/g, "\n");
}
