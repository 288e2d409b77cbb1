/** A trained model of a task: it takes records and returns answers in the same order. Records are batched by length. */
import { expectFinite, type Session } from "@cloze/backend";
import { ConfigError } from "@cloze/errors";
import { sameShape, showShape, type HostTensors } from "@cloze/graph";
import { headParameters } from "@cloze/models/families";
import type { Tokenizer } from "@cloze/tokenizer";
import { cutOf, encodeExamples, type Cut } from "./encode-examples.ts";
import { LogitsRunner, type LogitsOptions } from "./logits-runner.ts";
import type { Task } from "./task.ts";
import { TaskEvaluation, type TaskFigures, type TaskReport } from "./task-evaluation.ts";

export interface TaskModelOptions<R extends object, O extends object> extends Omit<LogitsOptions, "head"> {
  readonly task: Task<R, O>;
  /** Weights of encoder and head, by parameter name. */
  readonly weights: HostTensors;
  readonly tokenizer: Tokenizer;
  /** Largest number of tokens in a row, special tokens included. */
  readonly maxLength: number;
}

export type ManyOf<T> = Iterable<T> | AsyncIterable<T>;

export interface TaskModel<R extends object = object, O extends object = object> {
  readonly task: Task<R, O>;
  readonly labels: readonly string[];
  /**
   * Answers to all inputs. An input is a record, or a text if the task needs only a text. Throws ConfigError for logits
   * that are not finite.
   */
  predict(inputs: ManyOf<R | string>, options?: StreamOptions): Promise<readonly O[]>;
  /** Answers as a stream: the memory does not grow with the number of inputs. */
  stream(inputs: ManyOf<R | string>, options?: StreamOptions): AsyncGenerator<O, void, undefined>;
  /** Loss and figures over labelled records. `where` names a record in errors. */
  evaluate(records: readonly R[], where?: (record: number) => string): Promise<TaskFigures>;
  /** Like `evaluate`, with the scores of each label. */
  report(records: readonly R[], where?: (record: number) => string): Promise<TaskReport>;
  /** Frees the weights and the programs. */
  dispose(): Promise<void>;
}

export interface StreamOptions {
  /** Names an input in errors, by its index. Default: "example 1" for index 0. */
  readonly where?: (index: number) => string;
  /** Called with what the row length cut off, for inputs that were cut. */
  readonly onCut?: (cut: Cut) => void;
}

/** Number of batches that are read ahead, so that records can be sorted by length. */
const AHEAD = 32;

/**
 * Creates the model and uploads the weights. Throws ConfigError if the tokenizer has more tokens than the model, and if
 * `weights` lacks a parameter of encoder or head: an untrained head gives no answers.
 */
export async function createTaskModel<R extends object, O extends object>(
  options: TaskModelOptions<R, O>,
): Promise<TaskModel<R, O>> {
  const { task, weights, tokenizer, maxLength, backend, model } = options;
  const runner = new LogitsRunner({ ...options, head: task.head });
  if (tokenizer.vocabulary.length > model.vocab)
    throw new ConfigError(
      `${task.kind}: expected a tokenizer of at most the model's ${model.vocab} tokens, got ${tokenizer.name} ` +
        `with ${tokenizer.vocabulary.length}. Use the one that stands beside the weights.`,
    );
  expectWeights(options);
  const session: Session = await backend.start(weights);
  const answers = async (
    records: readonly R[],
    before: number,
    { where = (i) => `example ${i + 1}`, onCut }: StreamOptions,
  ): Promise<readonly O[]> => {
    const encoded = encodeExamples(task, tokenizer, records, { maxLength });
    const { rows, groups, records: places } = encoded;
    const { logits } = await runner.run(session, rows, groups);
    places.forEach(({ first, count }, i) => {
      for (const each of logits.slice(first, first + count))
        expectFinite(each, `${task.kind}, ${where(before + i)}`, weights);
    });
    const cut = cutOf(encoded);
    if (cut.records > 0) onCut?.(cut);
    return places.map(({ first, count }, i) =>
      task.decode(records[i] as R, rows.slice(first, first + count), logits.slice(first, first + count)),
    );
  };
  async function* stream(inputs: ManyOf<R | string>, streamed: StreamOptions = {}): AsyncGenerator<O, void, undefined> {
    let waiting: R[] = [];
    let before = 0;
    let characters = 0;
    for await (const input of inputs) {
      const record = task.record(input);
      waiting.push(record);
      // The number of tokens is unknown before encoding. Estimate: 4 characters per token, at least 16 tokens per
      // record.
      characters += Math.max(64, sizeOf(record));
      if (characters < 4 * AHEAD * runner.tokensPerBatch) continue;
      yield* await answers(waiting, before, streamed);
      before += waiting.length;
      [waiting, characters] = [[], 0];
    }
    if (waiting.length > 0) yield* await answers(waiting, before, streamed);
  }
  async function report(
    records: readonly R[],
    where: (record: number) => string = (i) => `example ${i + 1}`,
  ): Promise<TaskReport> {
    const evaluation = new TaskEvaluation(task, records, { ...options, where });
    try {
      return await evaluation.report(session);
    } finally {
      await evaluation.dispose();
    }
  }
  return {
    task,
    labels: task.labels,
    stream,
    async predict(inputs, streamed) {
      const all: O[] = [];
      for await (const output of stream(inputs, streamed)) all.push(output);
      return all;
    },
    evaluate: async (records, where) => (await report(records, where)).figures,
    report,
    async dispose() {
      await session.dispose();
      await runner.dispose();
    },
  };
}

/** Throws ConfigError for the first parameter that the weights lack, or hold in another shape. */
function expectWeights<R extends object, O extends object>({
  task,
  model,
  weights,
}: Pick<TaskModelOptions<R, O>, "task" | "model" | "weights">): void {
  for (const [name, { shape }] of headParameters(model, task.head.requires, task.head.width, task.kind)) {
    const got = weights[name];
    if (got !== undefined && sameShape(got.shape, shape)) continue;
    throw new ConfigError(
      `${task.kind}: expected the parameter "${name}" ${showShape(shape)}, got ` +
        `${got === undefined ? "none" : showShape(got.shape)}. An untrained head gives no answers: fine-tune the ` +
        "model for this task first, or take a checkpoint that holds the head.",
    );
  }
}

/** Number of characters in all texts of a record. */
function sizeOf(value: unknown): number {
  if (typeof value === "string") return value.length;
  return typeof value === "object" && value !== null
    ? Object.values(value).reduce((n: number, each) => n + sizeOf(each), 0)
    : 0;
}
