/**
 * A runner: one session, one program for each shape, and streams of sequences whose results come in input order.
 *
 * The runner reads a stretch of the stream, sorts it into batches of similar length, runs the batches, and returns the
 * results in input order. Then it reads the next stretch. A stretch ends at 64 batches' worth of tokens or 256 MiB of
 * results, so the memory does not grow with the stream.
 */
import {
  expectFinite,
  ProgramCache,
  type Backend,
  type CompileOptions,
  type ProgramLimits,
  type Session,
} from "@cloze/backend";
import { ConfigError } from "@cloze/errors";
import type { HostTensor, HostTensors, Program, Shape } from "@cloze/graph";
import { lengthBucket, planBatches } from "./buckets.ts";
import { inferenceProgram, type InferenceModel, type ProgramSpec } from "./program.ts";

/** A source of many items: a list, a generator, or a file that is read gradually. */
export type Many<T> = Iterable<T> | AsyncIterable<T>;

/** Numbers on the host: a `HostTensor` of dtype f32. */
export interface F32Tensor {
  readonly dtype: "f32";
  readonly shape: Shape;
  readonly data: Float32Array;
}

export const f32 = (shape: Shape, data: Float32Array): F32Tensor => ({ dtype: "f32", shape, data });

export interface Piece {
  readonly ids: ArrayLike<number>;
  /** Token types, of the same length as `ids`. Absent: all 0. */
  readonly types?: ArrayLike<number>;
  /** The feed of `pooled`, of the same length as `ids`. */
  readonly weights?: Float32Array;
}

/** The computation for each piece of a stream. */
export interface Job<P extends Piece, R> {
  readonly wanted: Omit<ProgramSpec, "rows" | "seq" | "types">;
  /** Number of elements in the result of a piece, in a row of length `seq`. */
  elements(seq: number): number;
  /** Called after each batch with its pieces. */
  ran?(pieces: readonly P[]): void;
  /** A copy of one piece's part of the batch's outputs. */
  take(outputs: Readonly<Record<string, Float32Array>>, row: number, seq: number, piece: P): R;
}

export interface RunnerOptions {
  readonly backend: Backend;
  readonly model: InferenceModel;
  readonly weights: HostTensors;
  readonly padId: number;
  readonly tokensPerBatch: number;
  readonly compile: CompileOptions;
}

const BATCHES_AHEAD = 64;
const BYTES_AHEAD = 2 ** 28;

const PROGRAMS_KEPT: ProgramLimits = { count: 32, bytes: 2 ** 29 };

export class Runner {
  readonly #options: RunnerOptions;
  readonly #session: Session;
  readonly #programs: ProgramCache;

  private constructor(options: RunnerOptions, session: Session) {
    this.#options = options;
    this.#programs = new ProgramCache(options.backend, options.compile, PROGRAMS_KEPT);
    this.#session = session;
  }

  static async start(options: RunnerOptions): Promise<Runner> {
    return new Runner(options, await options.backend.start(options.weights));
  }

  /** Throws ConfigError if a number is NaN or infinite. `where` names the sequence. */
  expectFinite(numbers: ArrayLike<number>, where: string): void {
    expectFinite(numbers, where, this.#options.weights);
  }

  async *stream<P extends Piece, R>(pieces: Many<P>, job: Job<P, R>): AsyncGenerator<R, void, undefined> {
    const { tokensPerBatch, backend } = this.#options;
    const bytes = (seq: number): number => 4 * job.elements(seq);
    const rowBytes = Math.min(BYTES_AHEAD, backend.capabilities.limits.tensorBytes);
    const rowLimit = (seq: number): number => Math.min(tokensPerBatch / seq, rowBytes / bytes(seq));
    const weigh = ({ ids }: P): number => {
      const seq = lengthBucket(ids.length);
      return Math.max(seq / (BATCHES_AHEAD * tokensPerBatch), bytes(seq) / BYTES_AHEAD);
    };
    for await (const stretch of stretches(pieces, weigh)) {
      const results = new Array<R>(stretch.length);
      for (const { rows, seq, items } of planBatches(
        stretch.map(({ ids }) => ids.length),
        rowLimit,
      )) {
        const batch = items.map((i) => stretch[i] as P);
        const types = batch.some((piece) => piece.types !== undefined);
        const outputs = await this.run(
          { ...job.wanted, rows, seq, ...(types && { types }) },
          this.#feeds(batch, rows, seq, job.wanted.pooled !== undefined),
        );
        items.forEach((i, row) => {
          results[i] = job.take(outputs, row, seq, stretch[i] as P);
        });
        job.ran?.(batch);
      }
      yield* results;
    }
  }

  /** Runs one batch. `feeds`: all feeds of the program. */
  async run(spec: ProgramSpec, feeds: HostTensors): Promise<Readonly<Record<string, Float32Array>>> {
    const outputs = await this.#programs.run(this.#session, [JSON.stringify(spec)], () => this.#program(spec), feeds);
    return Object.fromEntries(Object.entries(outputs).map(([name, { data }]) => [name, data as Float32Array]));
  }

  /**
   * The feeds of rows that are padded to `seq`, with `types` if a row has types. A pad id inside a sequence is padding
   * too: no other token sees it.
   */
  rowFeeds(batch: readonly Piece[], rows: number, seq: number): Record<string, HostTensor> {
    const { padId } = this.#options;
    const size = rows * seq;
    const ids = new Int32Array(size).fill(padId);
    const segments = new Int32Array(size);
    const positions = new Int32Array(size);
    batch.forEach((piece, row) => {
      for (let i = 0, at = row * seq; i < piece.ids.length; i++, at++) {
        const id = piece.ids[i] as number;
        ids[at] = id;
        segments[at] = id === padId ? 0 : 1;
        positions[at] = i;
      }
    });
    const tensor = (data: Int32Array): HostTensor => ({ dtype: "i32", shape: [rows, seq], data });
    const feeds = { ids: tensor(ids), segments: tensor(segments), positions: tensor(positions) };
    if (batch.every((piece) => piece.types === undefined)) return feeds;
    const types = new Int32Array(size);
    batch.forEach((piece, row) => {
      if (piece.types !== undefined) types.set(piece.types, row * seq);
    });
    return { ...feeds, types: tensor(types) };
  }

  async dispose(): Promise<void> {
    await this.#session.dispose();
    await this.#programs.dispose();
  }

  #feeds(batch: readonly Piece[], rows: number, seq: number, weighted: boolean): HostTensors {
    const feeds = this.rowFeeds(batch, rows, seq);
    if (!weighted) return feeds;
    const data = new Float32Array(rows * seq);
    batch.forEach(({ weights }, row) => {
      if (weights) data.set(weights, row * seq);
    });
    return { ...feeds, weights: f32([rows, seq], data) };
  }

  #program(spec: ProgramSpec): Program {
    const { model, weights } = this.#options;
    const program = inferenceProgram(model, spec);
    const missing = program.state.find(({ attrs }) => !(attrs.name in weights));
    if (missing)
      throw new ConfigError(
        `weights: expected the parameter "${missing.attrs.name}", got none. These weights were saved without ` +
          "that head: ask for other outputs, or use a checkpoint that has it.",
      );
    if (spec.contacts)
      expectTrained(program, inferenceProgram(model, { ...spec, contacts: false, attentions: true }), weights);
    return program;
  }
}

/**
 * Throws ConfigError if the parameters that contacts add to a program are all zero: the start of a contact head that
 * nobody has trained.
 */
function expectTrained(program: Program, without: Program, weights: HostTensors): void {
  const names = (of: Program): readonly string[] => of.state.map(({ attrs }) => attrs.name);
  const others = new Set(names(without));
  const own = names(program).filter((name) => !others.has(name));
  if (own.some((name) => weights[name]?.data.some((x) => x !== 0) === true)) return;
  throw new ConfigError(
    `contacts: expected a trained contact head, got one of zeros (${own.join(", ")}), which says nothing. ` +
      "Pretraining does not train it: take the published weights, or ask for attentions.",
  );
}

/** Lists of items with a total weight of at most 1. An item that weighs more than 1 is alone in its list. */
async function* stretches<T>(items: Many<T>, weigh: (item: T) => number): AsyncGenerator<T[], void, undefined> {
  let list: T[] = [];
  let sum = 0;
  for await (const item of items) {
    const weight = weigh(item);
    if (list.length > 0 && sum + weight > 1) {
      yield list;
      list = [];
      sum = 0;
    }
    list.push(item);
    sum += weight;
  }
  if (list.length > 0) yield list;
}
