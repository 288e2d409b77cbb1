/**
 * Batches of sentence pairs, `[CLS] A [SEP] B [SEP]`, built on the fly. The pairs are a function of (seed, epoch). So
 * each epoch has other pairs, and batch n is the same whenever it is asked for.
 *
 * Documents come in a new order each epoch, window by window. The pairs of a window are packed by best fit, and its
 * rows are shuffled. Each pair in a row sees only itself (`segments`), and knows its two texts (`types`) and whether
 * they belong together (`pair`). If a pair is too long, tokens are dropped from the longer text, each from the
 * beginning or the end by a coin, as in BERT.
 */
import { ConfigError } from "@cloze/errors";
import { RandomStream } from "@cloze/random";
import type { PackedSequence, TokenBatch } from "@cloze/tokenizer";
import type { Batches, PackedBatches, PairOptions } from "./batches.ts";
import type { DocumentDataset } from "../rows/document-dataset.ts";
import { EpochRows } from "../rows/epoch-rows.ts";
import { packWindow } from "../rows/pack-window.ts";
import {
  PAIR_FRAME,
  pairDraws,
  pairLength,
  pairsOfDocument,
  type PairDraws,
  type PairRule,
  type PlannedPair,
  type SentenceRange,
} from "../rows/pair-document.ts";
import { permutation, shuffledOrder, type Order } from "../rows/shuffle.ts";

/** The same seed for every run, so that figures compare. */
const EVALUATION_SEED = 20240520;
const ROWS_PER_WINDOW = 256;
const SMALLEST_WINDOW = 32;

/**
 * Endless training batches of pairs. Throws ConfigError if there is no document, or fewer than two with `second:
 * "random"`, which needs another document for a random text.
 *
 * @example
 * const documents = memoryDocuments([[[5, 6], [7, 8]], [[9], [10]]]);
 * const special = { pad: 0, start: 2, end: 3 };
 * const batches = pairBatches(documents, { seed: 0, length: 16, rowsPerBatch: 1, special, second: "random" });
 * (await batches.batchAt(0)).sequences[0]?.pair
 */
export function pairBatches(dataset: DocumentDataset, options: PairOptions): PackedBatches {
  const plan = new PairPlan(dataset, options);
  const { rowsPerBatch, length } = options;
  return {
    batchAt: async (step) => {
      checkStep(step);
      return fill(
        dataset,
        Array.from({ length: rowsPerBatch }, (_, r) => plan.rows.rowAt(step * rowsPerBatch + r)),
        options,
      );
    },
    epochOf: (step) => {
      checkStep(step);
      return plan.rows.locate(step * rowsPerBatch).epoch;
    },
    firstStepOf: (epoch) => Math.floor(plan.rows.firstRowOf(epoch) / rowsPerBatch),
    rowsIn: (epoch) => plan.rows.rowsIn(epoch),
    fillOf: (epoch) => plan.tokensIn(epoch) / (plan.rows.rowsIn(epoch) * length),
    ...(dataset.handle === undefined ? {} : { recipe: { layout: "pairs", dataset: dataset.handle, options } }),
  };
}

/**
 * Evaluation batches: the same pairs for every run, each pair once. The packed rows keep the order of the documents,
 * except inside a packing window. Blank rows fill the last batch.
 */
export function pairEvaluationBatches(
  dataset: DocumentDataset,
  options: Pick<PairOptions, "length" | "rowsPerBatch" | "special" | "second">,
): Batches & { readonly count: number } {
  const all: PairOptions = { ...options, seed: EVALUATION_SEED, shortRate: 0, shuffle: false };
  const plan = new PairPlan(dataset, all);
  const { rowsPerBatch } = options;
  const rows = plan.rows.rowsIn(0);
  const count = Math.ceil(rows / rowsPerBatch);
  return {
    count,
    batchAt: async (step) => {
      if (!Number.isInteger(step) || step < 0 || step >= count)
        throw new ConfigError(`batchAt: expected a batch from 0 to ${count - 1}, got ${step}.`);
      const first = step * rowsPerBatch;
      return fill(
        dataset,
        Array.from({ length: Math.min(rowsPerBatch, rows - first) }, (_, r) => plan.rows.rowAt(first + r)),
        all,
      );
    },
  };
}

/** The plan of the rows of pairs. */
class PairPlan {
  readonly rows: EpochRows<readonly PlannedPair[]>;
  readonly #dataset: DocumentDataset;
  readonly #options: PairOptions;
  readonly #rule: PairRule;
  readonly #window: number;
  #epoch: { readonly epoch: number; readonly order: Order; readonly draws: PairDraws } | undefined;

  constructor(dataset: DocumentDataset, options: PairOptions) {
    const { length, rowsPerBatch, second, shortRate = 0.1, special, maxSequence = length } = options;
    const { documents } = dataset;
    positive("rowsPerBatch", rowsPerBatch);
    positive("length", length);
    if (special.start === undefined || special.end === undefined)
      throw new ConfigError(
        "pairBatches: expected a start and an end token, [CLS] A [SEP] B [SEP], got a tokenizer without. Choose " +
          "another tokenizer.",
      );
    if (!(Number.isInteger(maxSequence) && maxSequence >= PAIR_FRAME + 2 && maxSequence <= length)) {
      throw new ConfigError(
        `pairBatches: expected maxSequence to be an integer from ${PAIR_FRAME + 2} (three special tokens and one ` +
          `of each text) to length ${length}, got ${maxSequence}.`,
      );
    }
    if (!(shortRate >= 0 && shortRate <= 1))
      throw new ConfigError(`pairBatches: expected shortRate to be a share from 0 to 1, got ${shortRate}.`);
    if (documents < (second === "random" ? 2 : 1)) {
      throw new ConfigError(
        "pairBatches: expected " +
          (second === "random"
            ? "at least two documents, for a random text is one of another document"
            : "a document") +
          `, got ${documents}. Separate documents by blank lines.`,
      );
    }
    let tokens = 0;
    for (let i = 0; i < dataset.size; i++) tokens += dataset.lengthOf(i);
    this.#dataset = dataset;
    this.#options = options;
    this.#rule = { second, shortRate, longest: maxSequence - PAIR_FRAME };
    this.#window =
      options.window ??
      Math.max(SMALLEST_WINDOW, Math.ceil((ROWS_PER_WINDOW * length * documents) / Math.max(1, tokens)));
    positive("window", this.#window);
    positive("sequencesPerRow", options.sequencesPerRow ?? length);
    this.rows = new EpochRows({
      windows: Math.ceil(documents / this.#window),
      rowsOf: (epoch, window) => this.#pack(epoch, window),
    });
  }

  tokensIn(epoch: number): number {
    let tokens = 0;
    for (let document = 0; document < this.#dataset.documents; document++)
      for (const pair of this.#pairsOf(epoch, document)) tokens += pairLength(pair);
    return tokens;
  }

  #pairsOf(epoch: number, document: number): readonly PlannedPair[] {
    return pairsOfDocument(this.#dataset, document, this.#rule, this.#of(epoch).draws);
  }

  #of(epoch: number): { readonly order: Order; readonly draws: PairDraws } {
    if (this.#epoch?.epoch !== epoch) {
      const { seed, shuffle = true } = this.#options;
      this.#epoch = {
        epoch,
        draws: pairDraws(seed, epoch),
        order: shuffle ? shuffledOrder(this.#dataset.documents, { seed, epoch }) : (place) => place,
      };
    }
    return this.#epoch;
  }

  #pack(epoch: number, window: number): readonly (readonly PlannedPair[])[] {
    const { seed, length, sequencesPerRow = length, shuffle = true } = this.#options;
    const { order } = this.#of(epoch);
    const from = window * this.#window;
    const until = Math.min(from + this.#window, this.#dataset.documents);
    const pairs: PlannedPair[] = [];
    for (let place = from; place < until; place++)
      for (const pair of this.#pairsOf(epoch, order(place))) pairs.push(pair);
    const packed = packWindow(Uint32Array.from(pairs, pairLength), length, sequencesPerRow);
    const place = shuffle
      ? permutation(new RandomStream(seed).split("rows").split(epoch).split(window), packed.rows)
      : (row: number): number => row;
    return Array.from({ length: packed.rows }, (_, i) => {
      const row = place(i);
      return Array.from(
        packed.items.subarray(packed.starts[row], packed.starts[row + 1]),
        (item) => pairs[item] as PlannedPair,
      );
    });
  }
}

async function fill(
  dataset: DocumentDataset,
  rows: readonly { readonly epoch: number; readonly content: readonly PlannedPair[] }[],
  options: PairOptions,
): Promise<TokenBatch> {
  const { rowsPerBatch, length, special, seed } = options;
  const size = rowsPerBatch * length;
  const ids = new Int32Array(size).fill(special.pad);
  const segments = new Int32Array(size);
  const positions = new Int32Array(size);
  const types = new Int32Array(size);
  const sequences: PackedSequence[] = [];
  const start = special.start as number;
  const end = special.end as number;
  for (const [row, { epoch, content }] of rows.entries()) {
    let at = row * length;
    for (const [i, { example, a, b, label }] of content.entries()) {
      const first = at;
      const ends = new RandomStream(seed).split("ends").split(epoch).split(example);
      ids[at++] = start;
      for (const token of await textOf(dataset, a, epoch, ends.split("a"))) ids[at++] = token;
      ids[at++] = end;
      const second = at - first;
      if (b !== undefined) {
        for (const token of await textOf(dataset, b, epoch, ends.split("b"))) ids[at++] = token;
        ids[at++] = end;
        types.fill(1, first + second, at);
      }
      segments.fill(i + 1, first, at);
      for (let p = first; p < at; p++) positions[p] = p - first;
      sequences.push({
        example,
        row,
        start: first - row * length,
        length: at - first,
        ...(b !== undefined && { pair: { second, label } }),
      });
    }
  }
  return { rows: rowsPerBatch, length, ids, segments, positions, types, sequences };
}

/** The kept tokens of a text. Each dropped token is taken from the beginning or the end, by a coin. */
async function textOf(
  dataset: DocumentDataset,
  { first, end, kept, dropped }: SentenceRange,
  epoch: number,
  ends: RandomStream,
): Promise<Int32Array> {
  const text = new Int32Array(kept);
  let skip = heads(ends, dropped);
  let at = 0;
  for (let sentence = first; sentence < end && at < kept; sentence++) {
    const reading = dataset.read(sentence, epoch);
    const tokens = reading instanceof Promise ? await reading : reading;
    const from = Math.min(skip, tokens.length);
    const taken = tokens.subarray(from, from + kept - at);
    skip -= from;
    text.set(taken, at);
    at += taken.length;
  }
  return text;
}

/** The number of heads among `coins` fair coins. */
function heads(stream: RandomStream, coins: number): number {
  let count = 0;
  for (let word = 0; word * 32 < coins; word++) {
    const left = coins - word * 32;
    for (let bits = left < 32 ? stream.bits(word) & (2 ** left - 1) : stream.bits(word); bits !== 0; bits &= bits - 1)
      count++;
  }
  return count;
}

function positive(name: string, value: number): void {
  if (!Number.isInteger(value) || value < 1)
    throw new ConfigError(`pairBatches: expected ${name} to be a positive integer, got ${value}.`);
}

function checkStep(step: number): void {
  if (!Number.isSafeInteger(step) || step < 0)
    throw new ConfigError(`batchAt: expected a step of 0 or more, got ${step}.`);
}
