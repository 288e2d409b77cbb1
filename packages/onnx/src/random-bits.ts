/**
 * `randomBits` in ONNX: threefry-2x32, bit for bit the definition in `@cloze/graph`.
 *
 * ONNX Runtime adds in i32 and shifts in u32, so each round casts between the two types. The casts keep the bits. 7
 * nodes a round.
 */
import type { Node, Shape } from "@cloze/graph";
import { middleNumbers, sizeOf } from "@cloze/graph";
import type { Emitter, Value } from "./emitter.ts";

const ROTATIONS = [13, 15, 26, 6, 17, 29, 16, 24] as const;
const PARITY = 0x1bd11bda;

export const lowerRandomBits = (x: Node<"randomBits">, key: Value, e: Emitter): Value =>
  key.shape.length === 2 ? byRow(x, key, e) : forAll(x, key, e);

/** A key for each row: x0 is the number of a pair of elements, x1 the number of the middle indices. */
function byRow(x: Node<"randomBits">, key: Value, e: Emitter): Value {
  const { bits, stream, shape } = x.attrs;
  const rows = shape[0] as number;
  const length = shape.length > 1 ? (shape.at(-1) as number) : 1;
  const half = Math.ceil(length / 2);
  const numbers = middleNumbers(shape);
  const words = e.cast(key, "i32");
  const word = (i: number): Value =>
    e.reshape(e.emit("Slice", [words, e.list([i]), e.list([i + 1]), e.list([1])], "i32", [rows, 1]), [rows, 1, 1]);
  const k0 = xor(word(0), e.constant("i32", [1], [stream | 0]), e);
  const [x0, x1] = threefry(
    [k0, word(1)],
    [counting([1, 1, half], half, e), constants([1, numbers.length, 1], numbers, e)],
    e,
  );
  const pairs: Shape = [rows, numbers.length, half, 1];
  const both = e.emit("Concat", [e.reshape(x0, pairs), e.reshape(x1, pairs)], "i32", [...pairs.slice(0, 3), 2], {
    axis: { int: 3 },
  });
  const whole = e.reshape(both, [rows, numbers.length, 2 * half]);
  const kept =
    2 * half === length
      ? whole
      : e.emit("Slice", [whole, e.list([0]), e.list([length]), e.list([2])], "i32", [rows, numbers.length, length]);
  return highest(kept, bits, shape, e);
}

/** One key for the whole tensor: the first half of the elements are first words, the second half second words. */
function forAll(x: Node<"randomBits">, key: Value, e: Emitter): Value {
  const count = sizeOf(x.shape);
  const half = Math.ceil(count / 2);
  const { bits, stream } = x.attrs;
  const words = e.cast(key, "i32");
  const word = (i: number): Value => e.emit("Slice", [words, e.list([i]), e.list([i + 1]), e.list([0])], "i32", [1]);
  const [x0, x1] = threefry([word(0), word(1)], [counting([half], half, e), e.constant("i32", [1], [stream | 0])], e);
  const both = e.emit("Concat", [x0, x1], "i32", [2 * half], { axis: { int: 0 } });
  const kept =
    2 * half === count ? both : e.emit("Slice", [both, e.list([0]), e.list([count]), e.list([0])], "i32", [count]);
  return highest(kept, bits, x.shape, e);
}

/** Both words of the blocks of `counter` under `key`; the shapes broadcast together. */
function threefry([k0, k1]: Pair, counter: Pair, e: Emitter): Pair {
  const k2 = xor(xor(k0, k1, e), e.constant("i32", [1], [PARITY]), e);
  const schedule = [k0, k1, k2] as const;
  const at = (i: number): Value => schedule[i % 3] as Value;
  let x0 = add(counter[0], k0, e);
  let x1 = add(counter[1], k1, e);
  for (let round = 0; round < 20; round++) {
    x0 = add(x0, x1, e);
    x1 = xor(rotate(x1, ROTATIONS[round & 7] as number, e), x0, e);
    if ((round & 3) === 3) {
      const inject = (round >> 2) + 1;
      x0 = add(x0, at(inject), e);
      x1 = add(x1, add(at(inject + 1), e.constant("i32", [1], [inject]), e), e);
    }
  }
  return [x0, x1];
}

type Pair = readonly [Value, Value];

const constants = (shape: Shape, values: readonly number[], e: Emitter): Value => e.constant("i32", shape, values);

const counting = (shape: Shape, count: number, e: Emitter): Value =>
  constants(
    shape,
    Array.from({ length: count }, (_, i) => i),
    e,
  );

/** The highest `bits` bits of words. */
function highest(words: Value, bits: number, shape: Shape, e: Emitter): Value {
  const drawn = e.cast(words, "u32");
  return e.reshape(bits === 32 ? drawn : shift(drawn, 32 - bits, "RIGHT", e), shape);
}

/** The shape of an elementwise operator: of equal rank, or one of the two is a single number. */
function together({ shape: a }: Value, { shape: b }: Value): Shape {
  if (a.length !== b.length) return a.length > b.length ? a : b;
  return a.map((d, i) => Math.max(d, b[i] as number));
}

const add = (a: Value, b: Value, e: Emitter): Value => e.emit("Add", [a, b], "i32", together(a, b));

const xor = (a: Value, b: Value, e: Emitter): Value => e.emit("BitwiseXor", [a, b], a.type, together(a, b));

const shift = (a: Value, by: number, direction: "LEFT" | "RIGHT", e: Emitter): Value =>
  e.emit("BitShift", [a, e.scalar("u32", by)], "u32", a.shape, { direction: { text: direction } });

function rotate(a: Value, by: number, e: Emitter): Value {
  const bits = e.cast(a, "u32");
  return e.cast(xor(shift(bits, by, "LEFT", e), shift(bits, 32 - by, "RIGHT", e), e), "i32");
}
