/** Zip archives: reads back its own archives and one of Python's zipfile, and reports damage. */
import { describe, expect, it } from "vitest";
import { RandomStream } from "@cloze/random";
import { crc32, readZip, writeZip } from "../src/zip.ts";

/** An archive of Python 3's zipfile: run/config.json deflated, run/vocab.txt stored, and an entry for the folder. */
const FROM_PYTHON =
  "UEsDBBQAAAAIAAAAIVD9NnVADgAAAEUAAAAPAAAAcnVuL2NvbmZpZy5qc29uq1ZKVLJSUEqiACjVAgBQSwMEFAAAAAAAAAAhUNxuPHIMAAAADAAAAA0AAABydW4vdm9jYWIudHh0PGNscz4KPHBhZD4KUEsDBBQAAAAAAAAAIVAAAAAAAAAAAAAAAAAEAAAAcnVuL1BLAQIUAxQAAAAIAAAAIVD9NnVADgAAAEUAAAAPAAAAAAAAAAAAAACAAQAAAABydW4vY29uZmlnLmpzb25QSwECFAMUAAAAAAAAACFQ3G48cgwAAAAMAAAADQAAAAAAAAAAAAAAgAE7AAAAcnVuL3ZvY2FiLnR4dFBLAQIUAxQAAAAAAAAAIVAAAAAAAAAAAAAAAAAEAAAAAAAAAAAAAACAAXIAAABydW4vUEsFBgAAAAADAAMAqgAAAJQAAAAAAA==";

const text = (bytes: Uint8Array | undefined): string => new TextDecoder().decode(bytes);

describe("zip", () => {
  it("has the check value of CRC-32", () => {
    expect(crc32(new TextEncoder().encode("123456789"))).toBe(0xcbf43926);
  });

  it("reads back what it writes, of any sizes", async () => {
    const stream = new RandomStream(1).split("zip");
    for (let round = 0; round < 30; round++) {
      const draw = stream.split(round);
      const files = Object.fromEntries(
        Array.from({ length: 1 + draw.below(5, 0) }, (_, i) => [
          `näme-${i}`,
          Uint8Array.from({ length: draw.split(i).below(300, 0) }, (_, at) => draw.split(i).below(256, at)),
        ]),
      );
      expect(await readZip(writeZip(files))).toEqual(files);
    }
  });

  it("takes the folder that all files are in off their names", async () => {
    expect(Object.keys(await readZip(writeZip({ "a/x": new Uint8Array(1), "a/b/y": new Uint8Array(2) })))).toEqual([
      "x",
      "b/y",
    ]);
  });

  it("reads what Python wrote, compressed too", async () => {
    const files = await readZip(Uint8Array.from(Buffer.from(FROM_PYTHON, "base64")));
    expect(Object.keys(files)).toEqual(["config.json", "vocab.txt"]);
    expect(JSON.parse(text(files["config.json"]))).toEqual({ a: "b".repeat(60) });
    expect(text(files["vocab.txt"])).toBe("<cls>\n<pad>\n");
  });

  it("tells of a file that is no archive, and of every byte of content that was changed", async () => {
    await expect(readZip(new TextEncoder().encode("nothing of the kind, though it is long enough"))).rejects.toThrow(
      "it has no end record",
    );
    const archive = writeZip({ a: Uint8Array.of(1, 2, 3, 4) });
    const start = 30 + 1;
    for (let at = start; at < start + 4; at++) {
      const changed = archive.slice();
      changed[at] = (changed[at] as number) ^ 1;
      await expect(readZip(changed)).rejects.toThrow("a is damaged");
    }
  });
});
