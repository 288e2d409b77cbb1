// 10,000 damaged files. No file crashes or hangs the reader, a file that loads gives exactly what its header says, and
// a manifest finds every damage.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ClozeError, FormatError } from "@cloze/errors";
import { expect, it } from "vitest";
import { encodeSafetensors, parseSafetensors, tensorBytes, type SafetensorsDType } from "../src/index.ts";
import {
  openCheckpointTensors,
  openSafetensors,
  verifyDirectory,
  writeDirectoryAtomic,
  writeSharded,
} from "../src/node.ts";
import { scratch, seeded } from "./scratch.ts";

const count = 10_000;
const golden = readFileSync(fileURLToPath(new URL("golden/all-dtypes.safetensors", import.meta.url)));
type Random = ReturnType<typeof seeded>;
type Mutation = (bytes: Uint8Array, random: Random) => Uint8Array;

const splice = (bytes: Uint8Array, at: number, remove: number, insert: Uint8Array = new Uint8Array()): Uint8Array =>
  Uint8Array.from([...bytes.subarray(0, at), ...insert, ...bytes.subarray(at + remove)]);
const noise = (n: number, random: Random): Uint8Array => Uint8Array.from({ length: n }, () => random.below(256));
const headerLength = (bytes: Uint8Array): number => new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);

/** Changes the header's text and adapts its length field, so that the test reaches the content of the JSON. */
function editHeader(bytes: Uint8Array, edit: (text: string) => string): Uint8Array {
  const old = headerLength(bytes);
  const text = new TextEncoder().encode(edit(new TextDecoder().decode(bytes.subarray(8, 8 + old))));
  const result = splice(bytes, 8, old, text);
  new DataView(result.buffer).setBigUint64(0, BigInt(text.length), true);
  return result;
}
function replaceOne(text: string, pattern: RegExp, random: Random, by: (found: string) => string): string {
  const found = [...text.matchAll(pattern)];
  const hit = found[random.below(Math.max(1, found.length))];
  return hit === undefined ? text : text.slice(0, hit.index) + by(hit[0]) + text.slice(hit.index + hit[0].length);
}
const numbers = [
  "0",
  "1",
  "2",
  "-1",
  "3.0",
  "1e1",
  "9007199254740991",
  "9007199254740992",
  "18446744073709551615",
  "1e400",
  "null",
  '"8"',
  "[]",
  "{}",
  "01",
  "",
];
const words = [
  "F32",
  "I32",
  "F16",
  "BF16",
  "F8_E4M3",
  "f32",
  "",
  "__proto__",
  "__metadata__",
  "scalar",
  "constructor",
  "\\ud800",
  "dtype",
  "shape",
];

const mutations: { readonly [name: string]: Mutation } = {
  bit: (b, r) => {
    const c = Uint8Array.from(b);
    const at = r.below(c.length);
    c[at] = (c[at] ?? 0) ^ (1 << r.below(8));
    return c;
  },
  headerBit: (b, r) => {
    const c = Uint8Array.from(b);
    const at = r.below(8 + headerLength(b));
    c[at] = (c[at] ?? 0) ^ (1 << r.below(8));
    return c;
  },
  bytes: (b, r) => splice(b, r.below(b.length), 4, noise(4, r)),
  truncate: (b, r) => b.slice(0, r.below(b.length)),
  append: (b, r) => splice(b, b.length, 0, noise(1 + r.below(40), r)),
  insert: (b, r) => splice(b, r.below(b.length), 0, noise(1 + r.below(9), r)),
  remove: (b, r) => splice(b, r.below(b.length), 1 + r.below(9)),
  length: (b, r) => {
    const c = Uint8Array.from(b);
    const values = [
      0n,
      1n,
      2n,
      BigInt(r.below(4000)),
      BigInt(headerLength(b) - 8 + r.below(17)),
      100_000_001n,
      2n ** 63n,
      2n ** 64n - 1n,
    ];
    new DataView(c.buffer).setBigUint64(0, values[r.below(values.length)] ?? 0n, true);
    return c;
  },
  number: (b, r) => editHeader(b, (t) => replaceOne(t, /\d+/g, r, () => numbers[r.below(numbers.length)] ?? "")),
  digit: (b, r) => editHeader(b, (t) => replaceOne(t, /\d/g, r, () => String(r.below(10)))),
  word: (b, r) => editHeader(b, (t) => replaceOne(t, /"[^"\\]*"/g, r, () => `"${words[r.below(words.length)] ?? ""}"`)),
  entryTwice: (b, r) =>
    editHeader(b, (t) => replaceOne(t, /"[^"\\]*":\{"dtype"[^}]*\},/g, r, (e) => (r.below(2) === 0 ? e + e : ""))),
  punctuation: (b, r) =>
    editHeader(b, (t) =>
      replaceOne(t, /[{}[\]:,"]/g, r, () => ["", "{", "}", "[", "]", ":", ",", '"', " ", "\0"][r.below(10)] ?? ""),
    ),
  swapOffsets: (b, r) =>
    editHeader(b, (t) => replaceOne(t, /\[\d+,\d+\]/g, r, (p) => `[${p.slice(1, -1).split(",").reverse().join(",")}]`)),
};

/** A minimal reader of the format: the expected result for a damaged file that loads. */
function plainReading(
  bytes: Uint8Array,
): ReadonlyMap<string, { readonly dtype: string; readonly shape: readonly number[]; readonly data: Uint8Array }> {
  const start = 8 + headerLength(bytes);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, start))) as Record<
    string,
    { dtype: string; shape: number[]; data_offsets: [number, number] }
  >;
  const tensors = Object.entries(header).filter(([name]) => name !== "__metadata__");
  return new Map(
    tensors.map(
      ([
        name,
        {
          dtype,
          shape,
          data_offsets: [from, to],
        },
      ]) => [name, { dtype, shape, data: bytes.subarray(start + from, start + to) }],
    ),
  );
}
const equal = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((x, i) => x === b[i]);

it(`${count} mutated files`, { timeout: 300_000 }, async () => {
  const other = encodeSafetensors(
    [
      { name: "encoder.weight", dtype: "F32", shape: [16, 8], data: noise(512, seeded(1)) },
      { name: "encoder.bias", dtype: "F32", shape: [16], data: noise(64, seeded(2)) },
      { name: "ids", dtype: "I64", shape: [1, 4], data: noise(32, seeded(3)) },
    ],
    { metadata: { format: "pt", step: "100" } },
  );
  const dir = scratch();
  const random = seeded(20240520);
  const kinds = Object.entries(mutations);
  const outcomes = { refused: 0, dataOnly: 0, otherHeader: 0, unchanged: 0 };
  let slowestMs = 0;
  const folders = [];
  for (const [i, original] of [golden, other].entries()) {
    const folder = join(dir, `step-${i}`);
    await writeDirectoryAtomic(folder, async (temporary) =>
      writeFileSync(join(temporary, "model.safetensors"), original),
    );
    folders.push({ folder, original, header: 8 + headerLength(original) });
  }
  for (let i = 0; i < count; i++) {
    const { folder, original, header } = folders[i % 2] ?? { folder: "", original: golden, header: 0 };
    const [kind, mutate] = kinds[random.below(kinds.length)] ?? ["", (b: Uint8Array) => b];
    let bytes = mutate(original, random);
    if (random.below(5) === 0)
      bytes =
        // some files get two mutations
        (kinds[random.below(8)]?.[1] ?? mutations["bit"])?.(bytes.length < 16 ? original : bytes, random) ?? bytes;
    const path = join(folder, "model.safetensors");
    const label = `mutation ${i}, ${kind}`;
    writeFileSync(path, bytes);
    const begin = performance.now();
    const file = await openSafetensors(path).catch((error: unknown) => {
      expect(FormatError.isInstance(error), `${label}: ${String(error)}`).toBe(true);
      return undefined;
    });
    slowestMs = Math.max(slowestMs, performance.now() - begin);
    if (file === undefined) {
      outcomes.refused++;
      expect(() => parseSafetensors(bytes), label).toThrow(FormatError);
    } else {
      const said = plainReading(bytes);
      const memory = parseSafetensors(bytes);
      expect([...file.entries.keys()].sort(), label).toEqual([...said.keys()].sort());
      let total = 0;
      for (const [name, { dtype, shape, byteLength }] of file.entries) {
        const plain = said.get(name);
        const read = await file.read(name);
        const right =
          plain !== undefined &&
          dtype === plain.dtype &&
          shape.join() === plain.shape.join() &&
          byteLength === tensorBytes(dtype as SafetensorsDType, shape);
        if (!right || !equal(read, plain.data) || !equal(read, memory.read(name)))
          expect.fail(`${label}: ${name} was loaded as something else`);
        total += read.length;
      }
      // every byte belongs to the header or to one tensor
      expect(8 + headerLength(bytes) + total, label).toBe(bytes.length);
      await file.close();
      if (equal(bytes, original)) outcomes.unchanged++;
      else if (equal(bytes.subarray(0, header), original.subarray(0, header))) outcomes.dataOnly++;
      else outcomes.otherHeader++;
    }
    // The header cannot show that a name or a weight has changed. The checksums of the folder can.
    if (equal(bytes, original)) await verifyDirectory(folder);
    else await expect(verifyDirectory(folder), label).rejects.toThrow(path);
  }
  console.log(`mutations: ${JSON.stringify(outcomes)}, slowest open ${slowestMs.toFixed(1)} ms`);
  expect(outcomes.refused + outcomes.dataOnly + outcomes.otherHeader + outcomes.unchanged).toBe(count);
  expect(outcomes.dataOnly).toBeGreaterThan(400);
  expect(outcomes.refused).toBeGreaterThan(5_000);
  expect(slowestMs).toBeLessThan(2_000);
});

it("500 mutations of any file of a sharded folder: refused, or loaded as it was", async () => {
  const dir = join(scratch(), "step-1");
  const random = seeded(7);
  const byteKinds = ["bit", "bytes", "truncate", "append", "insert", "remove"];
  const tensors = Array.from({ length: 6 }, (_, i) => ({
    name: `layer.${i}.weight`,
    dtype: "U8" as const,
    shape: [8, 8],
    data: noise(64, seeded(i)),
  }));
  await writeDirectoryAtomic(dir, async (temporary) => {
    await writeSharded(temporary, tensors, { maxShardBytes: 130 });
    mkdirSync(join(temporary, "tokenizer"));
    writeFileSync(join(temporary, "tokenizer/vocab.txt"), "a\nb\n");
  });
  const files = [...(await verifyDirectory(dir)).map((f) => f.path), "cloze-manifest.json"];
  let loaded = 0;
  for (let i = 0; i < 500; i++) {
    const path = join(dir, files[random.below(files.length)] ?? "");
    const original = readFileSync(path);
    const mutated = mutations[byteKinds[random.below(byteKinds.length)] ?? ""]?.(original, random) ?? original;
    writeFileSync(path, mutated);
    try {
      const opened = await openCheckpointTensors(dir);
      for (const { name, data } of tensors) expect(await opened.read(name)).toEqual(data);
      await opened.close();
      loaded++; // harmless damage: white space in the manifest's JSON
      expect(equal(mutated, original) || path.endsWith("cloze-manifest.json"), `mutation ${i} of ${path}`).toBe(true);
    } catch (error) {
      if (!ClozeError.isInstance(error)) throw error;
    }
    writeFileSync(path, original);
  }
  expect(loaded).toBeLessThan(50);
  await (await openCheckpointTensors(dir)).close();
});
