/**
 * `randomBits` in ONNX: threefry-2x32, bit for bit the definition in `@cloze/graph`.
 *
 * ONNX Runtime adds in i32 and shifts in u32, so each round casts between the two types. The casts keep the bits. 7
 * nodes a round.
 */
import type { Node } from "@cloze/graph";
import { sizeOf } from "@cloze/graph";
import type { Emitter, Value } from "./emitter.ts";

const ROTATIONS = [13, 15, 26, 6, 17, 29, 16, 24] as const;
const PARITY = 0x1bd11bda;

export function lowerRandomBits(x: Node<"randomBits">, key: Value, e: Emitter): Value {
  const count = sizeOf(x.shape);
  const half = Math.ceil(count / 2);
  const { bits, stream } = x.attrs;
  const words = e.cast(key, "i32");
  const word = (i: number): Value => e.emit("Slice", [words, e.list([i]), e.list([i + 1]), e.list([0])], "i32", [1]);
  const k0 = word(0);
  const k1 = word(1);
  const k2 = xor(xor(k0, k1, e), e.constant("i32", [1], [PARITY]), e);
  const schedule = [k0, k1, k2] as const;
  const at = (i: number): Value => schedule[i % 3] as Value;

  let x0 = add(
    e.constant(
      "i32",
      [half],
      Array.from({ length: half }, (_, i) => i),
    ),
    k0,
    e,
  );
  let x1 = add(e.constant("i32", [1], [stream | 0]), k1, e);
  for (let round = 0; round < 20; round++) {
    x0 = add(x0, x1, e);
    x1 = xor(rotate(x1, ROTATIONS[round & 7] as number, e), x0, e);
    if ((round & 3) === 3) {
      const inject = (round >> 2) + 1;
      x0 = add(x0, at(inject), e);
      x1 = add(x1, add(at(inject + 1), e.constant("i32", [1], [inject]), e), e);
    }
  }
  const both = e.emit("Concat", [x0, x1], "i32", [2 * half], { axis: { int: 0 } });
  const kept =
    2 * half === count ? both : e.emit("Slice", [both, e.list([0]), e.list([count]), e.list([0])], "i32", [count]);
  const drawn = e.cast(kept, "u32");
  return e.reshape(bits === 32 ? drawn : shift(drawn, 32 - bits, "RIGHT", e), x.shape);
}

const larger = (a: Value, b: Value): Value => (sizeOf(b.shape) > sizeOf(a.shape) ? b : a);

const add = (a: Value, b: Value, e: Emitter): Value => e.emit("Add", [a, b], "i32", larger(a, b).shape);

const xor = (a: Value, b: Value, e: Emitter): Value => e.emit("BitwiseXor", [a, b], a.type, larger(a, b).shape);

const shift = (a: Value, by: number, direction: "LEFT" | "RIGHT", e: Emitter): Value =>
  e.emit("BitShift", [a, e.scalar("u32", by)], "u32", a.shape, { direction: { text: direction } });

function rotate(a: Value, by: number, e: Emitter): Value {
  const bits = e.cast(a, "u32");
  return e.cast(xor(shift(bits, by, "LEFT", e), shift(bits, 32 - by, "RIGHT", e), e), "i32");
}
