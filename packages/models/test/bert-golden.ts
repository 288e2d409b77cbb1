/** Reads the goldens that tooling/golden/bert.py writes, and runs this package's model on their inputs. */
import { readFileSync } from "node:fs";
import { Graph, interpret, type Tensor, type Value } from "@cloze/graph";
import { rootScope, type EncoderInputs, type Scope } from "@cloze/nn";
import { bert, parseBertConfig, type Bert, type BertConfig } from "@cloze/models/bert";
import type { Head } from "@cloze/models/families";
import { halves, type Encoded } from "./golden.ts";

export type Rows = readonly (readonly number[])[];
type Named<T> = Readonly<Record<string, T>>;

export interface PaddedRows<T = Rows> {
  readonly ids: T;
  readonly types: T;
  readonly mask: T;
}

interface BaseFile {
  readonly config: Named<unknown>;
  readonly weights: Named<Encoded>;
  readonly batch: PaddedRows;
  /** By question, choice and place. */
  readonly choices: PaddedRows<readonly Rows[]>;
  readonly heads: Readonly<Record<Head, Named<Encoded>>>;
  readonly alone: readonly { readonly prediction_logits: Encoded; readonly seq_relationship_logits: Encoded }[];
  readonly pooled: Encoded;
  readonly hidden_states: readonly Encoded[];
  readonly attentions: readonly Encoded[];
}

interface GradientsFile {
  /** The ids of the batch, some of them replaced by [MASK]. */
  readonly ids: Rows;
  readonly heads: Named<{
    readonly loss: number;
    readonly targets: Named<number[] | number[][]>;
    readonly gradients: Named<Encoded>;
  }>;
}

interface VariantsFile {
  readonly variants: Named<{
    readonly config: Named<unknown>;
    readonly weights: Named<Encoded>;
    readonly logits: Encoded;
  }>;
}

interface TrainingStep extends Omit<PaddedRows, "ids"> {
  readonly ids: Rows;
  readonly labels: Rows;
  readonly next_sentence_label: readonly number[];
  readonly loss: number;
  readonly norm: number;
  readonly lr: number;
}

interface TrainingFile {
  readonly options: Readonly<
    Record<"steps" | "warmup" | "lr" | "weight_decay" | "beta1" | "beta2" | "eps" | "clip", number>
  >;
  readonly steps: readonly TrainingStep[];
}

const read = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`golden/bert-${name}.json`, import.meta.url), "utf8"));
export const base: BaseFile = read("base") as BaseFile;
export const gradients: GradientsFile = read("gradients") as GradientsFile;
export const variants: VariantsFile["variants"] = (read("variants") as VariantsFile).variants;
export const training: TrainingFile = read("training") as TrainingFile;

export const config: BertConfig = parseBertConfig(base.config);
export const model: Bert = bert(config);

/** The weights of the base and one head. A name that several heads share has the prefix `HEAD:` in the file. */
export function parameters(head: Head, more: Named<Encoded> = {}): Record<string, Float32Array> {
  const all = Object.entries({ ...base.weights, ...more }).filter(
    ([name]) => !name.includes(":") || name.startsWith(`${head}:`),
  );
  return Object.fromEntries(all.map(([name, value]) => [name.slice(name.indexOf(":") + 1), halves(value)]));
}

export interface Feeds {
  readonly batch: number;
  readonly seq: number;
  readonly feeds: Readonly<Record<string, readonly number[]>>;
}

/** Each row is one sequence and its padding. */
export function padded({ ids, types, mask }: PaddedRows): Feeds {
  return {
    batch: ids.length,
    seq: ids[0]?.length ?? 0,
    feeds: {
      ids: ids.flat(),
      types: types.flat(),
      segments: mask.flat(),
      positions: ids.flatMap((row) => row.map((_, i) => i)),
    },
  };
}

/** All sequences in one row, one after another, and some padding. */
export function packed({ ids, types, mask }: PaddedRows): Feeds {
  const kept = (rows: Rows): number[][] => rows.map((row, r) => row.filter((_, i) => mask[r]?.[i] === 1));
  const rows = kept(ids);
  const tail = [0, 0, 0];
  return {
    batch: 1,
    seq: rows.flat().length + tail.length,
    feeds: {
      ids: [...rows.flat(), ...tail],
      types: [...kept(types).flat(), ...tail],
      segments: [...rows.flatMap((row, r) => row.map(() => r + 1)), ...tail],
      positions: [...rows.flatMap((row) => row.map((_, i) => i)), ...tail],
    },
  };
}

/** Builds on a fresh graph and computes the results of `build`. Feeds beyond the inputs are i32 `[n]`. */
export function compute(
  { batch, seq, feeds }: Feeds,
  weights: Readonly<Record<string, Float32Array>>,
  build: (scope: Scope, inputs: EncoderInputs, feed: (name: string) => Tensor<"i32">) => readonly Tensor[],
  precision: "native" | "f64" = "native",
): Value[] {
  const graph = new Graph();
  const input = (name: string): Tensor<"i32"> => graph.input(name, "i32", [batch, seq]);
  const inputs: EncoderInputs = {
    ids: input("ids"),
    segments: input("segments"),
    positions: input("positions"),
    ...("types" in feeds && { types: input("types") }),
  };
  const roots = build(rootScope(graph), inputs, (name) => graph.input(name, "i32", [feeds[name]?.length ?? 0]));
  return interpret(roots, { ...weights, ...feeds }, { precision });
}

/** Hidden states of every token `[batch * seq, hidden]`. */
export const everyState = (of: Bert, scope: Scope, inputs: EncoderInputs): Tensor<"f32"> =>
  of.encode(scope, inputs).reshape([-1, of.hidden]);

/** Hidden states of the first token of each row `[batch, hidden]`. */
export function firstStates(of: Bert, scope: Scope, inputs: EncoderInputs): Tensor<"f32"> {
  const [batch] = inputs.ids.shape as [number];
  return of.encode(scope, inputs).slice(1, 0, 1).reshape([batch, of.hidden]);
}
