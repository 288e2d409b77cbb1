/**
 * Embeddings of texts: one vector each (the mean over its residues, or the start token's), or one for each residue.
 *
 * All of it is linear in the hidden states, so a vector is a weighted sum over the windows a sequence was cut into:
 *   mean       1 / (residues * windows that see this residue)
 *   cls        1 / windows, at the start token of each
 *   per-token  rows, each divided by the windows that see it
 * The sums of mean and cls are taken on the device; only they come back.
 */
import { ConfigError } from "@cloze/errors";
import type { EncodingIssues, Tokenizer } from "@cloze/tokenizer";
import { f32, type F32Tensor, type Job, type Many, type Piece, type Runner } from "./runner.ts";
import { coverage, windowsOf } from "./windows.ts";

export type Pooling = "mean" | "cls" | "per-token";
export type LongPolicy = "window" | "truncate" | "error";

export interface EmbedOptions {
  /** 0 the embeddings, L after the last of L layers and the final norm; negative from the end. Default -1. */
  readonly layer?: number;
  /** `mean` over the residues, `cls` the start token; `per-token` one vector for each residue. Default "mean". */
  readonly pooling?: Pooling;
  /** Most tokens that run at once, start and end included. Default 1024. */
  readonly maxLength?: number;
  /** What becomes of longer sequences: overlapping windows, their vectors averaged; the first window alone; an error. Default "window". */
  readonly long?: LongPolicy;
}

export interface Embedding {
  /** Place in the input, from 0. */
  readonly index: number;
  /** Residues that the result speaks of: special tokens and what was cut off are not among them. */
  readonly residues: number;
  /** `[hidden]`, or `[residues, hidden]` per token. */
  readonly vectors: F32Tensor;
  /** 1, unless the sequence was too long to run at once. */
  readonly windows: number;
  /** Residues that `truncate` cut off. */
  readonly cut: number;
  readonly issues: EncodingIssues;
}

/** A window of a sequence. */
interface EmbedPiece extends Piece {
  readonly of: Omit<Embedding, "vectors">;
  readonly first: boolean;
  readonly last: boolean;
  /** Where its residues stand in the sequence, and the share of each that it gives. */
  readonly start: number;
  readonly shares: Float32Array;
}

/** `layer` is from 0 here. */
export async function* embeddings(runner: Runner, tokenizer: Tokenizer, hidden: number, texts: Many<string>, options: Required<EmbedOptions>): AsyncGenerator<Embedding, void, undefined> {
  const { layer, pooling } = options, perToken = pooling === "per-token", frame = frameOf(tokenizer);
  const job: Job<EmbedPiece, { readonly piece: EmbedPiece; readonly data: Float32Array }> = {
    wanted: perToken ? { states: [layer] } : { pooled: layer },
    elements: (seq) => (perToken ? seq * hidden : hidden),
    take(outputs, row, seq, piece) {
      const from = perToken ? (row * seq + frame.start.length) * hidden : row * hidden, length = perToken ? piece.shares.length * hidden : hidden;
      const all = outputs[perToken ? `states.${layer}` : "pooled"] as Float32Array;
      return { piece, data: all.slice(from, from + length) };
    },
  };
  let sum: Float32Array = new Float32Array(0);
  for await (const { piece, data } of runner.stream(pieces(tokenizer, frame, texts, options), job)) {
    const { of, first, last } = piece;
    if (first && last) sum = data;
    else {
      if (first) sum = new Float32Array(perToken ? of.residues * hidden : hidden);
      const shares = perToken ? piece.shares : undefined, at = perToken ? piece.start * hidden : 0;
      for (let i = 0; i < data.length; i++) sum[at + i] = (sum[at + i] as number) + (data[i] as number) * (shares ? shares[Math.floor(i / hidden)] as number : 1);
    }
    if (last) yield { ...of, vectors: f32(perToken ? [of.residues, hidden] : [hidden], sum) };
  }
}

interface Frame {
  readonly start: Int32Array;
  readonly end: Int32Array;
}

/** What the tokenizer puts around a text. */
function frameOf(tokenizer: Tokenizer): Frame {
  const { ids } = tokenizer.encode(""), { start } = tokenizer.special, at = start === undefined ? 0 : ids.indexOf(start) + 1;
  return { start: ids.slice(0, at), end: ids.slice(at) };
}

async function* pieces(tokenizer: Tokenizer, frame: Frame, texts: Many<string>, options: Required<EmbedOptions>): AsyncGenerator<EmbedPiece, void, undefined> {
  const { pooling, maxLength, long } = options, size = maxLength - frame.start.length - frame.end.length;
  if (!(Number.isSafeInteger(maxLength) && size >= 1)) throw new ConfigError(`embed, maxLength: expected a whole number from ${maxLength - size + 1}, got ${maxLength}.`);
  if (pooling === "cls" && frame.start.length === 0) throw new ConfigError(`embed, pooling "cls": the tokenizer "${tokenizer.name}" puts no start token before a text. Use "mean".`);
  let index = -1;
  for await (const text of texts) {
    index++;
    const { ids, issues } = tokenizer.encode(text, { special: false });
    if (ids.length === 0) throw new ConfigError(`embed, sequence ${index + 1}: expected at least one residue, got none. Leave empty sequences out.`);
    if (ids.length > size && long === "error") throw new ConfigError(`embed, sequence ${index + 1}: expected at most ${size} residues, got ${ids.length}. Raise maxLength, or let long sequences be cut into windows.`);
    const residues = long === "truncate" ? Math.min(size, ids.length) : ids.length;
    const windows = windowsOf(residues, size), counts = coverage(windows, residues);
    const of = { index, residues, windows: windows.length, cut: ids.length - residues, issues };
    for (const [i, { start, stop }] of windows.entries()) {
      const shares = Float32Array.from(counts.subarray(start, stop), (count) => 1 / count);
      yield {
        of, first: i === 0, last: i === windows.length - 1, start, shares,
        ids: framed(frame, ids.subarray(start, stop)),
        weights: weightsOf(pooling, frame, shares, residues, windows.length),
      };
    }
  }
}

function framed({ start, end }: Frame, body: Int32Array): Int32Array {
  const ids = new Int32Array(start.length + body.length + end.length);
  ids.set(start);
  ids.set(body, start.length);
  ids.set(end, start.length + body.length);
  return ids;
}

function weightsOf(pooling: Pooling, { start, end }: Frame, shares: Float32Array, residues: number, windows: number): Float32Array {
  const weights = new Float32Array(start.length + shares.length + end.length);
  if (pooling === "cls") weights[start.length - 1] = 1 / windows;
  else shares.forEach((share, i) => { weights[start.length + i] = share / residues; });
  return weights;
}
