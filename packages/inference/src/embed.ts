/**
 * Embeddings of texts: one vector for each text (the mean over its tokens, the start token's vector, or the pooler's
 * output), or one vector for each token.
 *
 * All poolings except the pooler are linear in the hidden states. So a vector is a weighted sum over the windows of a
 * sequence:
 *   mean       1 / (tokens * windows that see this token); with `special` the start and end tokens count too
 *   cls        1 / windows, at the start token of each window
 *   pooler     the start token of each window through the model's pooler; then the mean over windows
 *   per-token  one row for each token, divided by the number of windows that see the token
 * The device computes the sums of mean and cls, and only the sums come back. sentence-transformers models are trained
 * for `mean` with `special` and `normalize` (Reimers and Gurevych 2019, arXiv:1908.10084).
 */
import { ConfigError } from "@cloze/errors";
import { isTextTokenizer, type EncodingIssues, type TextEncoding, type Tokenizer } from "@cloze/tokenizer";
import { f32, type F32Tensor, type Job, type Many, type Piece, type Runner } from "./runner.ts";
import { coverage, windowsOf } from "./windows.ts";

export type Pooling = "mean" | "cls" | "pooler" | "per-token";
export type LongPolicy = "window" | "truncate" | "error";

/** Two texts in one sequence. */
export interface TextPair {
  readonly text: string;
  readonly pair: string;
}

export interface EmbedOptions {
  /**
   * 0: the embeddings. L: after the last of L layers and the final norm. Negative numbers count from the end. Default
   * -1. A list of different layers is computed in one pass.
   */
  readonly layer?: number | readonly number[];
  /**
   * `mean`: over the tokens. `cls`: the start token. `pooler`: the start token through the model's pooler. `per-token`:
   * one vector for each token. Default "mean".
   */
  readonly pooling?: Pooling;
  /** The mean includes the start and end tokens. Default false. */
  readonly special?: boolean;
  /** Scales vectors to length 1. Default false. */
  readonly normalize?: boolean;
  /**
   * Largest number of tokens in one window, start and end tokens included. Default 1024, or the model's limit if that
   * is less.
   */
  readonly maxLength?: number;
  /**
   * The treatment of longer sequences: overlapping windows whose vectors are averaged; only the first window; or an
   * error. Default "window".
   */
  readonly long?: LongPolicy;
  /** Names the text of an index in errors. Default: "sequence 1" for index 0. */
  readonly nameOf?: (index: number) => string;
  /**
   * Called after each batch, with all that is computed so far. Batches are sorted by length within a stretch, so this
   * is ahead of the embeddings that came out.
   */
  readonly onProgress?: (progress: EmbedProgress) => void;
}

export interface EmbedProgress {
  /** Texts whose last window is computed. */
  readonly texts: number;
  /** Tokens (in a protein, residues); a token that several windows see counts in parts. */
  readonly residues: number;
}

export interface Embedding {
  /** Index of the text in the input, from 0. */
  readonly index: number;
  /**
   * Number of tokens (in a protein, residues) that the result covers, without special tokens and tokens that were cut
   * off.
   */
  readonly residues: number;
  /** `[hidden]`, or `[residues, hidden]` with `per-token`. Of several layers, those of the first. */
  readonly vectors: F32Tensor;
  /** Such vectors of each layer, in the order of the option `layer`. */
  readonly layers: readonly F32Tensor[];
  /** Number of windows; 1 unless the sequence was too long for one. */
  readonly windows: number;
  /** Number of tokens that `truncate` cut off. */
  readonly cut: number;
  readonly issues: EncodingIssues;
}

/** A window of a sequence. */
interface EmbedPiece extends Piece {
  readonly of: Omit<Embedding, "vectors" | "layers">;
  readonly first: boolean;
  readonly last: boolean;
  /** Positions of the body's tokens in the window. */
  readonly places: ArrayLike<number>;
  /**
   * `start`: position of the first of these tokens in the sequence. `shares`: the weight of each token's vector from
   * this window.
   */
  readonly start: number;
  readonly shares: Float32Array;
}

/** The options with their defaults. `layers` are indices from 0. */
export interface SetEmbedOptions extends Required<Omit<EmbedOptions, "layer" | "onProgress">> {
  readonly layers: readonly number[];
  readonly onProgress: EmbedOptions["onProgress"];
}

/** Embeddings of a stream of texts. Throws ConfigError for a vector that is not finite. */
export async function* embeddings(
  runner: Runner,
  tokenizer: Tokenizer,
  hidden: number,
  texts: Many<string | TextPair>,
  options: SetEmbedOptions,
): AsyncGenerator<Embedding, void, undefined> {
  const { layers, pooling, normalize, onProgress } = options;
  const perToken = pooling === "per-token";
  const computed = { texts: 0, residues: 0 };
  const job: Job<EmbedPiece, { readonly piece: EmbedPiece; readonly parts: readonly Float32Array[] }> = {
    wanted: perToken ? { states: layers } : { pooled: layers, ...(pooling === "pooler" && { pooler: true }) },
    elements: (seq) => layers.length * (perToken ? seq * hidden : hidden),
    ran(pieces) {
      for (const { of, last } of pieces) {
        computed.residues += of.residues / of.windows;
        if (last) computed.texts++;
      }
      onProgress?.({ ...computed });
    },
    take: (outputs, row, seq, piece) => ({
      piece,
      parts: layers.map((layer) => {
        const all = outputs[perToken ? `states.${layer}` : `pooled.${layer}`] as Float32Array;
        return perToken ? rowsAt(all, row * seq, piece.places, hidden) : all.slice(row * hidden, (row + 1) * hidden);
      }),
    }),
  };
  let sums: readonly Float32Array[] = [];
  for await (const { piece, parts } of runner.stream(pieces(tokenizer, texts, options), job)) {
    const { of, first, last } = piece;
    if (first && last) sums = parts;
    else {
      if (first) sums = layers.map(() => new Float32Array(perToken ? of.residues * hidden : hidden));
      sums.forEach((sum, i) => addWindow(sum, parts[i] as Float32Array, piece, perToken ? hidden : undefined, pooling));
    }
    if (!last) continue;
    for (const sum of sums) runner.expectFinite(sum, `embed, ${options.nameOf(of.index)}`);
    const vectors = sums.map((sum) =>
      f32(perToken ? [of.residues, hidden] : [hidden], normalize ? unitRows(sum, hidden) : sum),
    );
    yield { ...of, vectors: vectors[0] as F32Tensor, layers: vectors };
  }
}

/** Adds the vectors of a window to those of its sequence. `width` is that of rows, one for each token, if there are. */
function addWindow(
  sum: Float32Array,
  part: Float32Array,
  { of, start, shares }: EmbedPiece,
  width: number | undefined,
  pooling: Pooling,
): void {
  const at = width === undefined ? 0 : start * width;
  const whole = pooling === "pooler" ? 1 / of.windows : 1;
  for (let i = 0; i < part.length; i++) {
    const share = width === undefined ? whole : (shares[Math.floor(i / width)] as number);
    sum[at + i] = (sum[at + i] as number) + (part[i] as number) * share;
  }
}

/** Copies one row of `width` for each place. Places count from the row `first`. */
function rowsAt(rows: Float32Array, first: number, places: ArrayLike<number>, width: number): Float32Array {
  const out = new Float32Array(places.length * width);
  for (let i = 0; i < places.length; i++) {
    const from = (first + (places[i] as number)) * width;
    out.set(rows.subarray(from, from + width), i * width);
  }
  return out;
}

/** Scales rows to Euclidean length 1. A row of zeros stays zero. */
function unitRows(rows: Float32Array, width: number): Float32Array {
  const out = new Float32Array(rows.length);
  for (let from = 0; from < rows.length; from += width) {
    let squares = 0;
    for (let i = from; i < from + width; i++) squares += (rows[i] as number) ** 2;
    const scale = squares === 0 ? 0 : 1 / Math.sqrt(squares);
    for (let i = from; i < from + width; i++) out[i] = (rows[i] as number) * scale;
  }
  return out;
}

interface Frame {
  readonly start: Int32Array;
  readonly end: Int32Array;
}

/** The special tokens that the tokenizer puts around a text. */
function frameOf(tokenizer: Tokenizer): Frame {
  const { ids } = tokenizer.encode("");
  const { start } = tokenizer.special;
  const at = start === undefined ? 0 : ids.indexOf(start) + 1;
  return { start: ids.slice(0, at), end: ids.slice(at) };
}

type PieceOptions = SetEmbedOptions;

async function* pieces(
  tokenizer: Tokenizer,
  texts: Many<string | TextPair>,
  options: PieceOptions,
): AsyncGenerator<EmbedPiece, void, undefined> {
  const { pooling, maxLength } = options;
  const frame = frameOf(tokenizer);
  const size = maxLength - frame.start.length - frame.end.length;
  if (!(Number.isSafeInteger(maxLength) && size >= 1))
    throw new ConfigError(`embed, maxLength: expected a whole number from ${maxLength - size + 1}, got ${maxLength}.`);
  if ((pooling === "cls" || pooling === "pooler") && frame.start.length === 0)
    throw new ConfigError(
      `embed, pooling "${pooling}": the tokenizer "${tokenizer.name}" puts no start token before a text. Use "mean".`,
    );
  let index = -1;
  for await (const text of texts) {
    index++;
    if (typeof text === "string") yield* windowPieces(tokenizer, frame, size, text, index, options);
    else yield pairPiece(tokenizer, text, index, options);
  }
}

function* windowPieces(
  tokenizer: Tokenizer,
  frame: Frame,
  size: number,
  text: string,
  index: number,
  options: PieceOptions,
): Generator<EmbedPiece, void, undefined> {
  const { long } = options;
  const noun = isTextTokenizer(tokenizer) ? "token" : "residue";
  const where = `embed, ${options.nameOf(index)}`;
  const { ids, issues } = tokenizer.encode(text, { special: false });
  if (ids.length === 0)
    throw new ConfigError(`${where}: expected at least one ${noun}, got none. Leave empty sequences out.`);
  if (ids.length > size && long === "error")
    throw new ConfigError(
      `${where}: expected at most ${size} ${noun}s, got ${ids.length}. Raise maxLength, or let long sequences be ` +
        "cut into windows.",
    );
  const residues = long === "truncate" ? Math.min(size, ids.length) : ids.length;
  const windows = windowsOf(residues, size);
  const counts = coverage(windows, residues);
  const of = { index, residues, windows: windows.length, cut: ids.length - residues, issues };
  for (const [i, { start, stop }] of windows.entries()) {
    const shares = Float32Array.from(counts.subarray(start, stop), (count) => 1 / count);
    const places = Array.from(shares, (_, k) => frame.start.length + k);
    const tokens = framed(frame, ids.subarray(start, stop));
    yield {
      of,
      first: i === 0,
      last: i === windows.length - 1,
      start,
      shares,
      places,
      ids: tokens,
      weights: weightsOf(options, of, tokens.length, places, shares, frame.start.length - 1),
    };
  }
}

/** The piece of a pair of texts. A pair is never cut into windows, because its texts belong together. */
function pairPiece(tokenizer: Tokenizer, { text, pair }: TextPair, index: number, options: PieceOptions): EmbedPiece {
  const { long, maxLength } = options;
  const where = `embed, pair ${index + 1}`;
  if (!isTextTokenizer(tokenizer))
    throw new ConfigError(`${where}: expected a tokenizer of text, which joins two of them, got "${tokenizer.name}".`);
  const encoded: TextEncoding = tokenizer.encode(text, { pair, ...(long === "truncate" && { maxLength }) });
  const { ids, types, sequences, truncated: cut, issues } = encoded;
  if (ids.length > maxLength)
    throw new ConfigError(
      `${where}: expected at most ${maxLength} tokens, got ${ids.length}. Pairs are not cut into windows: raise ` +
        "maxLength, or let them be truncated.",
    );
  const places = Array.from(sequences.keys()).filter((i) => (sequences[i] as number) >= 0);
  const residues = places.length;
  if (residues === 0) throw new ConfigError(`${where}: expected at least one token, got none. Leave empty pairs out.`);
  const of = { index, residues, windows: 1, cut, issues };
  const shares = new Float32Array(residues).fill(1);
  return {
    of,
    first: true,
    last: true,
    start: 0,
    shares,
    places,
    ids,
    types,
    weights: weightsOf(
      options,
      of,
      ids.length,
      places,
      shares,
      sequences.findIndex((s) => s < 0),
    ),
  };
}

function framed({ start, end }: Frame, body: Int32Array): Int32Array {
  const ids = new Int32Array(start.length + body.length + end.length);
  ids.set(start);
  ids.set(body, start.length);
  ids.set(end, start.length + body.length);
  return ids;
}

/** The pooling weights of one window. They add up to 1 over all windows; with the pooler, to 1 in each window. */
function weightsOf(
  { pooling, special }: PieceOptions,
  { residues, windows }: Pick<Embedding, "residues" | "windows">,
  length: number,
  places: readonly number[],
  shares: Float32Array,
  first: number,
): Float32Array {
  const weights = new Float32Array(length);
  if (pooling === "cls") weights[first] = 1 / windows;
  else if (pooling === "pooler") weights[first] = 1;
  else {
    const others = special ? length - places.length : 0;
    const total = residues + others;
    if (special) weights.fill(1 / windows / total);
    places.forEach((place, i) => {
      weights[place] = (shares[i] as number) / total;
    });
  }
  return weights;
}
