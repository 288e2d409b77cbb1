// gzip data with something after it. Oracle: Python's gzip module, which reads all members, skips zeros, and raises
// BadGzipFile for anything else; and the sizes of the members themselves.
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { readChunks } from "../src/node.ts";
import { gunzipped } from "../src/formats/gunzip.ts";
import { scratch } from "./files.ts";

const { write } = scratch();
const hello = gzipSync("hello\n");
const random = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (Math.imul(i, 2654435761) >>> 13) & 0xff));
const large = gzipSync(random);

async function textOf(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Buffer[] = [];
  for await (const chunk of chunks) all.push(Buffer.from(chunk));
  return Buffer.concat(all);
}

/** The data in chunks of a size, in one buffer that is overwritten. */
async function* inChunks(data: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(size);
  for (let at = 0; at < data.length; at += size) {
    const part = data.subarray(at, at + size);
    buffer.set(part);
    yield buffer.subarray(0, part.length);
  }
}

describe("gzip data", () => {
  it.each<[string, Uint8Array[], Buffer]>([
    ["one member", [hello], Buffer.from("hello\n")],
    ["members", [hello, large, hello], Buffer.concat([Buffer.from("hello\n"), random, Buffer.from("hello\n")])],
    ["zeros at the end", [hello, new Uint8Array(70_000)], Buffer.from("hello\n")],
    [
      "zeros between members",
      [large, new Uint8Array(5), hello, new Uint8Array(1), hello],
      Buffer.concat([random, Buffer.from("hello\nhello\n")]),
    ],
    ["an empty member", [gzipSync(""), hello], Buffer.from("hello\n")],
  ])("of %s is read whole, however it comes", async (name, parts, expected) => {
    const data = Buffer.concat(parts);
    expect((await textOf(readChunks(write(`${name}.gz`, data)))).equals(expected)).toBe(true);
    for (const size of [1, 3, 26, 27, 4096, 1 << 20]) {
      if (data.length / size > 20_000) continue;
      const text = await textOf(gunzipped(inChunks(data, size), { file: "f", again: undefined }));
      expect(text.equals(expected), `in chunks of ${size}`).toBe(true);
    }
  });

  it("that comes slowly is read whole", async () => {
    const data = Buffer.concat([hello, new Uint8Array(9), hello, new Uint8Array(3), hello]);
    for (const size of [5, hello.length + 2, hello.length + 9, 40]) {
      const slow = async function* (): AsyncGenerator<Uint8Array> {
        for (let at = 0; at < data.length; at += size) {
          await new Promise((resolve) => setTimeout(resolve, 15));
          yield data.subarray(at, at + size);
        }
      };
      const text = await textOf(gunzipped(slow(), { file: "f", again: undefined }));
      expect(String(text), `in chunks of ${size}`).toBe("hello\nhello\nhello\n");
    }
  });

  it.each<[string, Uint8Array[], number, number]>([
    ["text", [hello, Buffer.from("garbage here")], hello.length, 6],
    ["one byte", [hello, Buffer.from("x")], hello.length, 6],
    ["text after much", [large, Buffer.from("garbage"), Buffer.alloc(400_000, 120)], large.length, random.length],
    ["text after members", [hello, large, Buffer.from("garbage")], hello.length + large.length, 6 + random.length],
    ["text after zeros", [hello, new Uint8Array(9), Buffer.from("garbage")], hello.length + 9, 6],
    ["a header that is none", [large, Uint8Array.of(0x1f, 0x8b, 9, 9, 9)], large.length, random.length],
  ])("with %s after it is an error at its place", async (name, parts, at, text) => {
    const file = write(`after-${name}.gz`, Buffer.concat(parts));
    await expect(textOf(readChunks(file))).rejects.toThrow(
      `${file}, byte ${at}: expected the end of the file or more gzip data after the ${text} bytes of text, got `,
    );
  });

  it("that is cut off or damaged is told apart", async () => {
    await expect(textOf(readChunks(write("cut.gz", large.subarray(0, 1000))))).rejects.toThrow(/it is cut off/);
    await expect(textOf(readChunks(write("cut2.gz", Buffer.concat([hello, hello.subarray(0, 12)]))))).rejects.toThrow(
      /after \d bytes of text: .* it is cut off/,
    );
    const damaged = Buffer.from(large);
    damaged.fill(0xff, 5000, 5100);
    await expect(textOf(readChunks(write("damaged.gz", damaged)))).rejects.toThrow(/got damaged data/);
  });
});
