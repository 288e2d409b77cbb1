/** Reads the goldens that tooling/golden/modernbert.py writes, and lays out their rows. */
import { readFileSync } from "node:fs";
import type { Tensor } from "@cloze/graph";
import type { EncoderInputs, Scope } from "@cloze/nn";
import type { Head } from "@cloze/models/families";
import { modernBert, parseModernBertConfig, type ModernBert, type ModernBertConfig } from "@cloze/models/modernbert";
import { packed, padded, type Feeds, type Rows } from "./bert-golden.ts";
import { halves, type Encoded } from "./golden.ts";

type Named<T> = Readonly<Record<string, T>>;

interface MaskedRows<T = Rows> {
  readonly ids: T;
  readonly mask: T;
}

interface BaseFile {
  readonly config: Named<unknown>;
  readonly weights: Named<Encoded>;
  readonly batch: MaskedRows;
  /** By question, choice and place. */
  readonly choices: MaskedRows<readonly Rows[]>;
  readonly heads: Named<Named<Encoded>>;
  /** Masked-token logits of each row alone. */
  readonly alone: readonly Encoded[];
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
    readonly head: Head;
    readonly config: Named<unknown>;
    readonly weights: Named<Encoded>;
    readonly logits: Encoded;
  }>;
}

const read = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`golden/modernbert-${name}.json`, import.meta.url), "utf8"));
export const base: BaseFile = read("base") as BaseFile;
export const gradients: GradientsFile = read("gradients") as GradientsFile;
export const variants: VariantsFile["variants"] = (read("variants") as VariantsFile).variants;

export const config: ModernBertConfig = parseModernBertConfig(base.config);
export const model: ModernBert = modernBert(config);

/** The weights of the base and one head. Classifiers have the prefix `HEAD:` in the file. */
export function parameters(head: string, more: Named<Encoded> = {}): Record<string, Float32Array> {
  const all = Object.entries({ ...base.weights, ...more }).filter(
    ([name]) => !name.includes(":") || name.startsWith(`${head}:`),
  );
  return Object.fromEntries(all.map(([name, value]) => [name.slice(name.indexOf(":") + 1), halves(value)]));
}

const laidOut =
  (how: typeof padded) =>
  ({ ids, mask }: MaskedRows): Feeds => {
    const { types: _, ...feeds } = how({ ids, mask, types: ids.map((row) => row.map(() => 0)) }).feeds;
    const { batch, seq } = how({ ids, mask, types: ids });
    return { batch, seq, feeds };
  };
/** Each row is one sequence and its padding. */
export const paddedRows: (rows: MaskedRows) => Feeds = laidOut(padded);
/** All sequences in one row, one after another, and some padding. */
export const packedRow: (rows: MaskedRows) => Feeds = laidOut(packed);

/** Hidden states of every token `[batch * seq, hidden]`. */
export const everyState = (of: ModernBert, scope: Scope, inputs: EncoderInputs): Tensor<"f32"> =>
  of.encode(scope, inputs).reshape([-1, of.hidden]);
