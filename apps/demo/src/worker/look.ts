/**
 * The model's answers for the views: probabilities for a masked residue, attention and contact maps, scores of
 * substitutions, and the pieces of a text.
 */
import { ConfigError } from "@cloze/errors";
import type { SequenceEncoder } from "@cloze/inference";
import type { Tokenizer } from "@cloze/tokenizer";
import type { Distribution, Maps, Piece, Substitutions } from "../protocol.ts";

const AMINO_ACIDS = Array.from("ACDEFGHIKLMNPQRSTVWY");

export interface Looked {
  readonly encoder: SequenceEncoder;
  readonly tokenizer: Tokenizer;
}

export async function maskResidue({ encoder, tokenizer }: Looked, sequence: string, at: number): Promise<Distribution> {
  const { ids } = tokenizer.encode(sequence);
  const masked = Int32Array.from(ids);
  const place = at + 1;
  masked[place] = maskOf(tokenizer);
  const { data } = await only(encoder.logits([masked]));
  const row = data.subarray(place * encoder.vocab, (place + 1) * encoder.vocab);
  const log = logSoftmax(row);
  const candidates = AMINO_ACIDS.map((token) => ({
    token,
    probability: Math.exp(log[idOf(tokenizer, token)] as number),
  }));
  return {
    truth: tokenizer.vocabulary[ids[place] as number] ?? "",
    candidates: candidates.sort((a, b) => b.probability - a.probability),
  };
}

export async function mapsOf(
  { encoder, tokenizer }: Looked,
  sequence: string,
  layer: number,
  head: number,
): Promise<Maps> {
  const { ids } = tokenizer.encode(sequence);
  const attentions = await only(encoder.attentions([ids]));
  const n = ids.length;
  const length = n - 2;
  const { heads } = encoder;
  const layers = attentions.length;
  const attention = new Float32Array(length * length);
  const mean = new Float32Array(length * length);
  const chosen = attentions[Math.min(layer, layers - 1)];
  if (chosen === undefined)
    throw new ConfigError("maps: expected a model that shows its attention, got one that does not.");
  for (let i = 0; i < length; i++) {
    for (let j = 0; j < length; j++) {
      attention[i * length + j] = chosen.data[(Math.min(head, heads - 1) * n + i + 1) * n + j + 1] as number;
      for (const { data } of attentions)
        for (let h = 0; h < heads; h++)
          mean[i * length + j] =
            (mean[i * length + j] as number) + (data[(h * n + i + 1) * n + j + 1] as number) / (layers * heads);
    }
  }
  return { length, layers, heads, attention, contacts: withoutAverageProduct(symmetric(mean, length), length) };
}

function symmetric(map: Float32Array, n: number): Float32Array {
  return map.map((value, at) => (value + (map[(at % n) * n + Math.floor(at / n)] as number)) / 2);
}

/** Average product correction: map[i, j] - row[i] row[j] / all, each a mean. Dunn et al. 2008. */
function withoutAverageProduct(map: Float32Array, n: number): Float32Array {
  const rows = Float64Array.from({ length: n }, (_, i) => map.subarray(i * n, (i + 1) * n).reduce((a, b) => a + b, 0));
  const all = rows.reduce((a, b) => a + b, 0);
  return map.map((value, at) => value - ((rows[Math.floor(at / n)] as number) * (rows[at % n] as number)) / all);
}

/**
 * Masked marginals: log p(letter) - log p(true residue) at every place, with each place masked in turn. Source: Meier
 * et al. 2021.
 */
export async function substitutionsOf(
  { encoder, tokenizer }: Looked,
  sequence: string,
  onProgress: (share: number) => void,
  signal: AbortSignal,
): Promise<Substitutions> {
  const { ids } = tokenizer.encode(sequence);
  const length = ids.length - 2;
  const mask = maskOf(tokenizer);
  const letters = AMINO_ACIDS.map((letter) => idOf(tokenizer, letter));
  const scores = new Float32Array(letters.length * length);
  function* masked(): Generator<Int32Array, void, undefined> {
    for (let at = 0; at < length; at++) {
      const copy = Int32Array.from(ids);
      copy[at + 1] = mask;
      yield copy;
    }
  }
  let at = 0;
  // Works on a part of the places at a time, so that the user can stop between two parts.
  const places = [...masked()];
  const part = Math.max(1, Math.floor(2048 / ids.length));
  for (let from = 0; from < length; from += part) {
    signal.throwIfAborted();
    for await (const { data } of encoder.logits(places.slice(from, from + part))) {
      const log = logSoftmax(data.subarray((at + 1) * encoder.vocab, (at + 2) * encoder.vocab));
      const truth = log[ids[at + 1] as number] as number;
      for (const [row, id] of letters.entries()) scores[row * length + at] = (log[id] as number) - truth;
      at += 1;
    }
    onProgress(at / length);
    await new Promise((resolve) => {
      setTimeout(resolve, 0);
    });
  }
  return {
    letters: AMINO_ACIDS,
    sequence: Array.from(ids.subarray(1, length + 1), (id) => tokenizer.vocabulary[id] ?? "X").join(""),
    scores,
  };
}

export function piecesOf(tokenizer: Tokenizer, text: string): readonly Piece[] {
  return Array.from(tokenizer.encode(text).ids, (id) => ({
    token: tokenizer.vocabulary[id] ?? "",
    special: tokenizer.specialIds.has(id),
  }));
}

const idOf = (tokenizer: Tokenizer, token: string): number => tokenizer.idOf(token) ?? tokenizer.special.unknown;

function maskOf({ special, name }: Tokenizer): number {
  if (special.mask === undefined) throw new ConfigError(`mask: expected a tokenizer with a mask token, got ${name}.`);
  return special.mask;
}

function logSoftmax(logits: Float32Array): Float64Array {
  const largest = logits.reduce((a, b) => Math.max(a, b), -Infinity);
  const sum = logits.reduce((total, x) => total + Math.exp(x - largest), 0);
  return Float64Array.from(logits, (x) => x - largest - Math.log(sum));
}

async function only<T>(stream: AsyncIterable<T>): Promise<T> {
  for await (const each of stream) return each;
  throw new RangeError("one sequence gives one result");
}
