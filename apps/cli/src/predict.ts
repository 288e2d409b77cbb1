/** The work of `cloze predict`: reads records and writes them with their predictions, in order, as a stream. */
import type { Cut, Fields, TaskModel } from "@cloze/tasks";
import { readRecords, type Located } from "@cloze/tasks/node";
import { formatDuration, formatInteger } from "@cloze/trainer";
import { chooseBackend, type BackendChoice } from "./backends.ts";
import type { Context, Result } from "./command.ts";
import { outputFile } from "./encoder-options.ts";
import { columnsOf } from "./finetune-settings.ts";
import { cutInWords } from "./cut-in-words.ts";
import { NucleotideWatch, textOf } from "./nucleotides.ts";
import { formatOfOutput, writePredictions, type Predicted } from "./prediction-files.ts";
import { openTask, startTask } from "./task-models.ts";

export interface PredictOptions {
  readonly checkpoint: string;
  readonly data: string;
  readonly out: string;
  readonly format: "jsonl" | "csv" | "tsv" | "text" | undefined;
  readonly columns: string | undefined;
  readonly batchTokens: number;
  readonly precision: "f32" | "f16" | "bf16";
  readonly backend: string;
  readonly threads: number | undefined;
}

type PredictContext = Pick<Context, "io" | "path" | "note"> & { readonly options: PredictOptions };

export async function predict({ options, io, path, note }: PredictContext): Promise<Result> {
  const opened = await openTask(path(options.checkpoint), note);
  const { task } = opened;
  const format = formatOfOutput(options.out, task);
  const started = performance.now();
  const { backend, place } = await chooseBackend(
    options.backend as BackendChoice,
    options.threads === undefined ? {} : { threads: options.threads },
  );
  try {
    const model = await startTask(opened, { backend, tokensPerBatch: options.batchTokens, compute: options.precision });
    const out = options.out === "-" ? "-" : await outputFile(options.out, path);
    note(
      `${task.kind}${task.labels.length > 0 && task.kind !== "regression" ? ` (${task.labels.length} labels)` : ""}; ` +
        place,
    );
    const records = readRecords(task, path(options.data), {
      labelled: false,
      stdin: io.stdin,
      ...columnsOf(options.columns),
      ...(options.format && { format: options.format }),
    });
    const cut = { records: 0, tokens: 0 };
    const dna = new NucleotideWatch(opened.tokenizer, { where: `--data ${options.data}`, allowed: false });
    const count = await writePredictions(predictions(model, records, { cut, dna }), { out, format, task, io });
    await model.dispose();
    const remark = dna.remark();
    if (remark !== undefined) note(remark);
    const seconds = (performance.now() - started) / 1000;
    const said = `${formatInteger(count)} predictions in ${formatDuration(seconds)}`;
    const json = { checkpoint: opened.dir, task: task.kind, predictions: count, cut, seconds, out: options.out };
    const lost = cutInWords(cut, opened.maxLength);
    if (options.out !== "-") return { json, text: [`${said}: ${options.out}`, ...lost] };
    [said, ...lost].forEach(note);
    return { json, text: [] };
  } finally {
    await backend.dispose();
  }
}

/**
 * The records with their outputs, as files have them. Outputs come in the order of the inputs, so a record waits in a
 * queue for its output.
 */
async function* predictions(
  model: TaskModel,
  records: AsyncIterable<Located<object>>,
  { cut: sum, dna }: { readonly cut: { records: number; tokens: number }; readonly dna: NucleotideWatch },
): AsyncGenerator<Predicted, void, undefined> {
  const waiting: Located<object>[] = [];
  let done = 0;
  async function* inputs(): AsyncGenerator<object, void, undefined> {
    for await (const each of records) {
      waiting.push(each);
      dna.see(textOf(each.record));
      yield each.record;
    }
  }
  const streamed = {
    where: (i: number) => waiting[i - done]?.where ?? `record ${i + 1}`,
    onCut(cut: Cut) {
      sum.records += cut.records;
      sum.tokens += cut.tokens;
    },
  };
  for await (const output of model.stream(inputs(), streamed)) {
    const { fields, record } = waiting.shift() as Located<object>;
    done++;
    yield { fields: fields ?? (record as Fields), output: model.task.inFile?.(record, output) ?? output };
  }
}
