/**
 * The evaluation of a task during training: the loss and the task's figures over labelled records, with the parameters
 * of a session.
 */
import { expectFinite, firstNotFinite, type Session } from "@cloze/backend";
import { ConfigError } from "@cloze/errors";
import type { Tokenizer } from "@cloze/tokenizer";
import { cutOf, encodeLabelled, type Cut, type LabelledExamples } from "./encode-examples.ts";
import { LogitsRunner, type LogitsOptions } from "./logits-runner.ts";
import type { EncodeLimits, Figures, LabelScores, Task } from "./task.ts";

export interface TaskEvaluationOptions extends Omit<LogitsOptions, "head">, EncodeLimits {
  readonly tokenizer: Tokenizer;
  /** Names a record in errors. */
  readonly where: (record: number) => string;
}

export type TaskFigures = Figures & { readonly loss: number };

export interface TaskReport {
  readonly figures: TaskFigures;
  readonly cut: Cut;
  readonly byLabel?: LabelScores;
}

/** Encodes the records once, in the constructor. `run` may be called any number of times. */
export class TaskEvaluation<R extends object, O extends object> {
  readonly #task: Task<R, O>;
  readonly #records: readonly R[];
  readonly #examples: LabelledExamples;
  readonly #runner: LogitsRunner;
  readonly #where: (record: number) => string;

  constructor(
    task: Task<R, O>,
    records: readonly R[],
    { tokenizer, where, maxLength, ...options }: TaskEvaluationOptions,
  ) {
    if (records.length === 0) throw new ConfigError(`${task.kind}: expected examples to evaluate on, got none.`);
    this.#task = task;
    this.#records = records;
    this.#where = where;
    this.#examples = encodeLabelled(task, tokenizer, records, { maxLength }, where);
    this.#runner = new LogitsRunner({ ...options, head: task.head });
  }

  async run(session: Session, signal?: AbortSignal): Promise<TaskFigures> {
    return (await this.report(session, signal)).figures;
  }

  /** The figures of the task, and the scores of each label. Throws ConfigError for logits that are not finite. */
  async report(session: Session, signal?: AbortSignal): Promise<TaskReport> {
    const { rows, groups, records, targets } = this.#examples;
    const { logits, loss = NaN } = await this.#runner.run(session, rows, groups, targets, signal);
    for (const [i, { first, count }] of records.entries())
      for (const each of logits.slice(first, first + count))
        if (firstNotFinite(each) >= 0) expectFinite(each, this.#where(i), await session.read());
    const outputs = records.map(({ first, count }, i) =>
      this.#task.decode(this.#records[i] as R, rows.slice(first, first + count), logits.slice(first, first + count)),
    );
    const byLabel = this.#task.byLabel?.(this.#records, outputs);
    return {
      figures: { loss, ...this.#task.score(this.#records, outputs) },
      cut: cutOf(this.#examples),
      ...(byLabel && { byLabel }),
    };
  }

  dispose(): Promise<void> {
    return this.#runner.dispose();
  }
}
