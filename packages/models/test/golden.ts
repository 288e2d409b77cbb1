/** Reads the goldens that tooling/golden/esm2.py writes, and runs this package's model on their inputs. */
import { readFileSync } from "node:fs";
import { float16ToNumber, Graph, interpret, type Tensor, type Value } from "@cloze/graph";
import { rootScope, type EncoderInputs, type Scope } from "@cloze/nn";
import { esm2, parseEsm2Config, ropeFrequenciesFrom, type Esm2, type Esm2Config } from "@cloze/models/esm2";

export interface Encoded {
  readonly shape: readonly number[];
  readonly data: string;
}

interface GoldenFile {
  readonly config: unknown;
  readonly weights: Readonly<Record<string, Encoded>>;
  readonly inverse_frequencies: Encoded;
  readonly ids: readonly (readonly number[])[];
  readonly attention_mask: readonly (readonly number[])[];
  readonly labels: readonly (readonly number[])[];
  readonly loss: number;
  readonly logits: Encoded;
  readonly alone: readonly Encoded[];
  readonly hidden_states: readonly Encoded[];
  readonly attentions: readonly Encoded[];
  readonly contacts: Encoded;
}

export interface Golden extends GoldenFile {
  readonly parsed: Esm2Config;
  readonly model: Esm2;
  /** Row-major numbers by parameter name. */
  readonly parameters: Readonly<Record<string, Float32Array>>;
  readonly gradients: Readonly<Record<string, Float32Array>>;
}

const read = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`golden/esm2-${name}.json`, import.meta.url), "utf8"));
const bytes = ({ data }: Encoded): ArrayBuffer => Uint8Array.from(Buffer.from(data, "base64")).buffer;
export const floats = (x: Encoded): Float32Array => new Float32Array(bytes(x));
export const halves = (x: Encoded): Float32Array => Float32Array.from(new Uint16Array(bytes(x)), float16ToNumber);

export const goldenNames = ["head20", "head24", "half", "variants"] as const;

export function golden(name: (typeof goldenNames)[number]): Golden {
  const file = read(name) as GoldenFile;
  const { gradients } = read(`${name}.gradients`) as { readonly gradients: Readonly<Record<string, Encoded>> };
  const parsed = parseEsm2Config(file.config);
  const frequencies = ropeFrequenciesFrom(parsed, floats(file.inverse_frequencies));
  const each = (
    record: Readonly<Record<string, Encoded>>,
    decode: (x: Encoded) => Float32Array,
  ): Record<string, Float32Array> =>
    Object.fromEntries(Object.entries(record).map(([key, value]) => [key, decode(value)]));
  return {
    ...file,
    parsed,
    model: esm2(parsed, frequencies ? { ropeFrequencies: frequencies } : {}),
    parameters: each(file.weights, halves),
    gradients: each(gradients, floats),
  };
}

/** The rows of an encoder's inputs: ids, segments and positions, row-major. */
export interface Rows {
  readonly batch: number;
  readonly seq: number;
  readonly feeds: Readonly<Record<"ids" | "segments" | "positions", number[]>>;
}

/** Each row is one sequence and its padding. */
export function padded({ ids, attention_mask: mask }: Golden): Rows {
  const seq = ids[0]?.length ?? 0;
  return {
    batch: ids.length,
    seq,
    feeds: { ids: ids.flat(), segments: mask.flat(), positions: ids.flatMap((row) => row.map((_, i) => i)) },
  };
}

/** All sequences in one row, one after another, and some padding. */
export function packed({ ids, attention_mask: mask }: Golden, padTokenId: number): Rows {
  const rows = ids.map((row, r) => row.filter((_, i) => mask[r]?.[i] === 1));
  const tail = [0, 0, 0];
  const flat = rows.flat();
  return {
    batch: 1,
    seq: flat.length + tail.length,
    feeds: {
      ids: [...flat, ...tail.map(() => padTokenId)],
      segments: [...rows.flatMap((row, r) => row.map(() => r + 1)), ...tail],
      positions: [...rows.flatMap((row) => row.map((_, i) => i)), ...tail],
    },
  };
}

/** Builds on a fresh graph and computes the results of `build`. */
export function compute(
  golden: Golden,
  rows: Rows,
  build: (scope: Scope, inputs: EncoderInputs) => readonly Tensor[],
  precision: "native" | "f64" = "native",
): Value[] {
  const graph = new Graph();
  const shape = [rows.batch, rows.seq];
  const inputs: EncoderInputs = {
    ids: graph.input("ids", "i32", shape),
    segments: graph.input("segments", "i32", shape),
    positions: graph.input("positions", "i32", shape),
  };
  return interpret(build(rootScope(graph), inputs), { ...golden.parameters, ...rows.feeds }, { precision });
}

/** Logits at every position, `[batch * seq, vocab]`. */
export function logits({ model }: Golden, scope: Scope, inputs: EncoderInputs): Tensor<"f32"> {
  return model.predict(scope, model.encode(scope, inputs).reshape([-1, model.hidden]));
}

/** Largest |a - b| over the elements of the rows (of `width` elements) for which `use` holds. */
export function worst(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  width = 1,
  use: (row: number) => boolean = () => true,
): number {
  if (a.length !== b.length) return Infinity;
  let largest = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs((a[i] as number) - (b[i] as number));
    // The comparison is false for NaN, so NaN counts as a failure.
    if (use(Math.floor(i / width)) && !(difference <= largest)) largest = difference;
  }
  return largest;
}
