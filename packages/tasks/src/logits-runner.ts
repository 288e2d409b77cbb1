/**
 * The runner that computes the logits of rows with the parameters of a session. It sorts rows into batches of similar
 * length and compiles one program for each shape. The results come in the order of the rows, without padding. With
 * targets, it also computes the loss.
 */
import { ProgramCache, type Backend, type CompileOptions, type Session } from "@cloze/backend";
import type { HostTensor, HostTensors, Program } from "@cloze/graph";
import { openTrace, programOf, type FeedTypes } from "@cloze/nn";
import { encoderFeeds, encoderInputs, feedTypes, type ModelParts } from "@cloze/objective";
import { fillRows, planRows, type RowGroup } from "./row-batches.ts";
import type { EncodedRow, Head, RowTarget, TaskPart } from "./task.ts";

export interface LogitsOptions {
  readonly backend: Backend;
  readonly model: ModelParts[TaskPart];
  readonly head: Head;
  readonly padId: number;
  /** Tokens in one batch, padding included. A longer row gets its own batch. Default 4096. */
  readonly tokensPerBatch?: number;
  /** The dtype of contractions. Default "f32". */
  readonly compute?: NonNullable<CompileOptions["compute"]>;
}

export interface RowLogits {
  /** Logits of each row: `[width]`, or `[tokens * width]`. */
  readonly logits: readonly Float32Array[];
  /** The mean loss, weighted by the targets' weights; undefined without targets. */
  readonly loss: number | undefined;
}

/** Largest number of cached programs. A stream of any lengths needs about two programs for each row length. */
const KEPT = 32;

export class LogitsRunner {
  readonly #options: LogitsOptions;
  readonly #programs: ProgramCache;

  constructor(options: LogitsOptions) {
    const { backend, compute = "f32" } = options;
    this.#options = options;
    this.#programs = new ProgramCache(backend, { compute }, { count: KEPT });
  }

  get tokensPerBatch(): number {
    return this.#options.tokensPerBatch ?? 4096;
  }

  async run(
    session: Session,
    rows: readonly EncodedRow[],
    groups: readonly RowGroup[],
    targets?: readonly RowTarget[],
    signal?: AbortSignal,
  ): Promise<RowLogits> {
    const { head, padId } = this.#options;
    const logits = new Array<Float32Array>(rows.length);
    let sum = 0;
    let weight = 0;
    for (const planned of planRows(rows, groups, this.tokensPerBatch)) {
      signal?.throwIfAborted();
      const batch = fillRows(rows, planned.numbers, planned.rows, padId);
      const feeds: HostTensors = {
        ...encoderFeeds(batch),
        ...(targets && head.targetFeeds(batch, (example) => targets[example] as RowTarget)),
      };
      const types = feedTypes({ feeds });
      const out = await this.#programs.run(session, [JSON.stringify(types)], () => this.#program(types), feeds);
      const all = (out["logits"] as HostTensor).data as Float32Array;
      const perRow = head.width * (head.perToken ? batch.length : 1);
      for (const { example, row, length } of batch.sequences)
        logits[example] = all.slice(row * perRow, row * perRow + head.width * (head.perToken ? length : 1));
      sum += (out["loss"]?.data[0] as number | undefined) ?? 0;
      weight += (out["weight"]?.data[0] as number | undefined) ?? 0;
    }
    return { logits, loss: targets && sum / weight };
  }

  dispose(): Promise<void> {
    return this.#programs.dispose();
  }

  #program(types: FeedTypes): Program {
    const { model, head } = this.#options;
    const trace = openTrace(types);
    const { scope, feeds } = trace;
    const logits = head.logits(scope, model, encoderInputs(feeds));
    const labelled = Object.keys(feeds).some((name) => name.startsWith("task."));
    const loss = labelled ? head.loss(logits, feeds).loss : undefined;
    return programOf(trace, { outputs: { logits, ...(loss && { loss: loss.sum, weight: loss.weight }) } });
  }
}
