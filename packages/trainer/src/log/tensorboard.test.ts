import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { eventsFolder, TensorBoardWriter } from "./tensorboard.ts";
import { crc32c, frameRecord } from "./tfrecord.ts";

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "tensorboard-"))));
afterEach(() => rmSync(folder, { recursive: true }));

function ticking(start: number): () => number {
  let seconds = start;
  return () => (seconds += 0.5);
}

/**
 * The bytes of the file that `writeFixture` makes. TensorBoard 2.21's EventAccumulator, which checks the checksums,
 * read these bytes as: file_version "brain.Event:2"; session_log START at step 3; scalars train/loss (1700000002.0, 3,
 * 2.5), train/lr (1700000002.0, 3, 0.001 as f32), eval/loss (1700000002.5, 300, 0.0); string tensor config "**ü**" of
 * the text plugin. TensorBoard's server listed and served the same tags and values.
 */
const fixture =
  "1800000000000000a37f4b220900004040fc54d9411a0d627261696e2e4576656e743a321b852ede0f000000000000006d532b090900006040fc54d941" +
  "10033a020801def3ff5b31000000000000009d8383e90900008040fc54d94110032a240a110a0a747261696e2f6c6f737315000020400a0f0a08747261" +
  "696e2f6c72156f12833a9e3aece2200000000000000029eda950090000a040fc54d94110ac022a120a100a096576616c2f6c6f737315000000002f5692" +
  "bc31000000000000009d8383e9090000c040fc54d9412a260a240a06636f6e6669674210080712041202080142062a2ac3bc2a2a4a080a060a04746578" +
  "747769fd15";

function writeFixture(): TensorBoardWriter {
  const board = new TensorBoardWriter(folder, { now: ticking(1_700_000_000), resumeAfter: 2 });
  board.scalars(3, { "train/loss": 2.5, "train/lr": 0.001 });
  board.scalar("eval/loss", 300, 0);
  board.text("config", 0, "**ü**");
  board.close();
  return board;
}

/**
 * A decoder that shares no code with the encoder. It reads any message as [field, value] pairs and checks lengths and
 * checksums.
 */
type Field = readonly [number, bigint | Buffer];

function fields(bytes: Buffer): Field[] {
  const out: Field[] = [];
  let at = 0;
  const varint = (): bigint => {
    for (let value = 0n, shift = 0n; ; shift += 7n) {
      const byte = bytes.readUInt8(at++);
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  const take = (size: number): Buffer => bytes.subarray(at, (at += size));
  while (at < bytes.length) {
    const key = varint();
    const type = Number(key & 7n);
    const field = Number(key >> 3n);
    if (type === 0) out.push([field, varint()]);
    else if (type === 1) out.push([field, take(8)]);
    else if (type === 5) out.push([field, take(4)]);
    else if (type === 2) out.push([field, take(Number(varint()))]);
    else throw new Error(`wire type ${type}`);
  }
  return out;
}

function records(bytes: Buffer): Buffer[] {
  const out: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const size = Number(bytes.readBigUInt64LE(at));
    expect(bytes.readUInt32LE(at + 8)).toBe(masked(bytes.subarray(at, at + 8)));
    out.push(bytes.subarray(at + 12, at + 12 + size));
    expect(bytes.readUInt32LE(at + 12 + size)).toBe(masked(bytes.subarray(at + 12, at + 12 + size)));
    at += size + 16;
  }
  return out;
}

/** The masked checksum, computed bit by bit in big integers, unlike the table in tfrecord.ts. */
function masked(bytes: Uint8Array): number {
  let crc = 0xffffffffn;
  for (const byte of bytes) {
    crc ^= BigInt(byte);
    for (let bit = 0; bit < 8; bit++) crc = (crc >> 1n) ^ (crc & 1n ? 0x82f63b78n : 0n);
  }
  crc ^= 0xffffffffn;
  return Number((((crc >> 15n) | (crc << 17n)) + 0xa282ead8n) & 0xffffffffn);
}

const pick = (message: Buffer, field: number): Buffer[] =>
  fields(message).flatMap(([f, value]) => (f === field && typeof value !== "bigint" ? [value] : []));

/** [step, tag, value] of every scalar in a file. */
function scalarsOf(path: string): [number, string, number][] {
  return records(readFileSync(path)).flatMap((event) => {
    const step = Number(fields(event).find(([field]) => field === 2)?.[1] ?? 0n);
    const values = pick(event, 5)
      .flatMap((summary) => pick(summary, 1))
      .filter((value) => pick(value, 2).length > 0);
    return values.map((value): [number, string, number] => [
      step,
      pick(value, 1).toString(),
      pick(value, 2)[0]!.readFloatLE(0),
    ]);
  });
}

describe("the file", () => {
  test("is byte for byte what TensorBoard has read", () => {
    expect(readFileSync(writeFixture().path).toString("hex")).toBe(fixture);
  });

  test("decodes to its values and steps", () => {
    expect(scalarsOf(writeFixture().path)).toEqual([
      [3, "train/loss", 2.5],
      [3, "train/lr", Math.fround(0.001)],
      [300, "eval/loss", 0],
    ]);
  });

  test("holds large steps, NaN, and tags in any alphabet", () => {
    const board = new TensorBoardWriter(folder);
    board.scalar("ü/λ", 5_000_000_000, NaN);
    board.flush();
    expect(scalarsOf(board.path)).toEqual([[5_000_000_000, "ü/λ", NaN]]);
    board.close();
  });

  test("is named for its second, host and process, and never written over", () => {
    const now = (): number => 1_700_000_000.9;
    const nested = join(folder, "a/b");
    const boards = [0, 1].map(() => new TensorBoardWriter(nested, { now }));
    boards.forEach((board) => board.close());
    const stem = `events.out.tfevents.1700000000.${hostname()}.${process.pid}`;
    expect(boards.map((board) => basename(board.path))).toEqual([`${stem}.0`, `${stem}.1`]);
    expect(readdirSync(nested).length).toBe(2);
  });

  test("closes once and then refuses", () => {
    const board = new TensorBoardWriter(folder);
    board.close();
    board.close();
    expect(() => board.scalar("a", 1, 1)).toThrow(/after close/);
    expect(() => board.scalar("a", -1, 1)).toThrow(/whole step >= 0, got -1/);
  });
});

test("CRC-32C check values of RFC 3720 B.4", () => {
  expect(crc32c(Buffer.from("123456789"))).toBe(0xe3069283);
  expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
  expect(crc32c(new Uint8Array(32).fill(255))).toBe(0x62a8ab43);
  expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e);
  expect(records(Buffer.from(frameRecord(Buffer.from("abc"))))).toEqual([Buffer.from("abc")]);
});

test("the files of a run are in a folder of their own; an older run keeps its place", () => {
  expect(eventsFolder(join(folder, "absent"))).toBe(join(folder, "absent", "tensorboard"));
  new TensorBoardWriter(eventsFolder(folder)).close();
  expect(readdirSync(folder)).toEqual(["tensorboard"]);
  new TensorBoardWriter(folder).close();
  expect(eventsFolder(folder)).toBe(folder);
});
