/** The work of `cloze evaluate`: evaluates a pretrained model by its objective, and a fine-tuned model by its task. */
import { formatInteger } from "@cloze/trainer";
import { framingLength, type Dataset } from "@cloze/data";
import { ConfigError } from "@cloze/errors";
import { checkModel } from "@cloze/objective";
import type { LabelScores } from "@cloze/tasks";
import type { Located, SplitColumns } from "@cloze/tasks/node";
import { causeIn } from "@cloze/backend";
import { chooseBackend, type BackendChoice } from "./backends.ts";
import type { Context, Result } from "./command.ts";
import type { ReadingOptions } from "./data-options.ts";
import { joinParts } from "./data-parts.ts";
import { loadModel } from "./model-files.ts";
import { sourceOfModel } from "./model-sources.ts";
import { cutInWords } from "./cut-in-words.ts";
import { findObjective } from "./objectives.ts";
import { nucleotidesInRecords } from "./nucleotides.ts";
import { columns } from "./output.ts";
import { furtherMetrics } from "./further-metrics.ts";
import { peakBytes } from "./pretrain-report.ts";
import { findTask, startTask, taskFolder, type OpenedTask } from "./task-models.ts";
import { tokenizerBeside } from "./tokenizer-of-model.ts";
import { nounsOf } from "./tokenizers.ts";
import { evaluationBatches, unitOf } from "./training-batches.ts";
import { framingOf, openTrainingData, unigramEntropyOf, type TrainingData } from "./training-data.ts";
import { validation } from "./validation.ts";

interface EvaluateOptions extends ReadingOptions {
  readonly checkpoint: string;
  readonly data: readonly string[];
  readonly columns: string | undefined;
  readonly split: "all" | "train" | "valid" | "test";
  readonly allowDna: boolean;
  readonly splitColumn: string;
  readonly unlabelled: "refuse" | "skip";
  readonly valid: number;
  readonly objective: string;
  readonly maxLength: number;
  readonly batchTokens: number;
  readonly precision: "f32" | "f16" | "bf16";
  readonly backend: BackendChoice;
  readonly threads: number | undefined;
}

type EvaluateContext = Pick<Context, "io" | "path" | "note" | "given"> & { readonly options: EvaluateOptions };

export async function evaluate(context: EvaluateContext): Promise<Result> {
  const { options, io, path, note, given } = context;
  if (options.data.length === 0)
    throw new ConfigError(
      "evaluate: FILE… or --data is required: FASTA files (plain or gzip), or the .json of token shards; for a task, " +
        "labelled files. See: cloze evaluate --help",
    );
  const dir = await taskFolder(path(options.checkpoint));
  const loaded = await loadModel(dir);
  const tokenizer = await tokenizerBeside(loaded, note);
  const found = given.has("objective") ? undefined : await findTask(dir, loaded);
  if (found !== undefined) return evaluateTask({ dir, loaded, tokenizer, ...found }, context);
  if (options.split === "test")
    throw new ConfigError("--split test: expected all, train or valid: pretrain makes no test part of its data.");
  const objective = (await findObjective(options.objective, io.cwd)).objective(tokenizer);
  const { weights } = loaded;
  checkModel(objective, loaded.model, options.checkpoint);
  if (!loaded.heads.includes(objective.requires))
    throw new ConfigError(
      `${options.checkpoint}: expected the weights of a model with ${objective.requires}, which --objective ` +
        `${options.objective} needs, got those of ${loaded.heads.join(", ") || "no head"}. Train it with this ` +
        "objective first.",
    );
  const source = sourceOfModel(options.checkpoint, loaded, objective.requires);
  const maxLength = Math.min(options.maxLength, source.maxLength);
  const special = framingOf(tokenizer);
  const data = await openTrainingData({
    files: options.data,
    tokenizer,
    validShare: options.split === "all" ? 0 : options.valid,
    path,
    reading: options,
    env: io.env,
    stdin: io.stdin,
    unit: unitOf(objective),
    allowDna: options.allowDna,
    window: { length: maxLength - framingLength(special), seed: 0 },
  });
  const dataset = await part(data, options.split);
  const { backend, place } = await chooseBackend(
    options.backend,
    options.threads === undefined ? {} : { threads: options.threads },
  );
  note(`${dataset.size.toLocaleString("en-US")} sequences; ${place}`);
  data.warnings.forEach(note);
  try {
    const evaluator = validation({
      backend,
      source,
      objective,
      tokens: tokenizer,
      compute: options.precision,
      batches: evaluationBatches(dataset, { objective, special, length: maxLength, tokens: options.batchTokens }),
    });
    const session = await backend.start(weights);
    const result = await evaluator.run(session);
    await session.dispose();
    if (!Number.isFinite(result.loss))
      throw new ConfigError(
        `${options.checkpoint}: expected a finite loss, got ${result.loss} over ${dataset.size} sequences. ` +
          causeIn(weights),
      );
    const cut = cutOff(dataset, maxLength - framingLength(special));
    const unigramEntropy = await unigramEntropyOf(dataset, tokenizer);
    const percent = (x: number): string => `${(x * 100).toFixed(2)} %`;
    return {
      json: { checkpoint: dir, sequences: dataset.size, cut, ...result, unigramEntropy, peakBytes: peakBytes() },
      text: [
        ...columns([
          ["loss", `${result.loss.toFixed(4)} nats over ${formatInteger(result.tokens)} masked ${nounsOf(tokenizer)}`],
          ["unigram entropy", `${unigramEntropy.toFixed(4)} nats of the same sequences' ${nounsOf(tokenizer)}`],
          ["perplexity", result.perplexity.toFixed(3)],
          ["accuracy", percent(result.accuracy)],
          ["precision", percent(result.precision)],
          ["recall", percent(result.recall)],
          ["F1", percent(result.f1)],
          ["MCC", result.mcc.toFixed(4)],
          ...furtherMetrics(result),
        ]),
        ...cutInWords(cut, maxLength, ["sequence", "token"]),
      ],
    };
  } finally {
    await backend.dispose();
  }
}

/** What rows of `room` tokens cannot hold of the sequences. */
function cutOff(dataset: Dataset, room: number): { readonly records: number; readonly tokens: number } {
  let records = 0;
  let tokens = 0;
  for (let i = 0; i < dataset.size; i++) {
    const over = dataset.lengthOf(i) - room;
    if (over <= 0) continue;
    records++;
    tokens += over;
  }
  return { records, tokens };
}

/** The figures of a fine-tuned model's task over labelled files. */
async function evaluateTask(opened: OpenedTask, { options, io, path, note, given }: EvaluateContext): Promise<Result> {
  const { loadRecords, splitByColumn } = await import("@cloze/tasks/node");
  const { columnsOf } = await import("./finetune-settings.ts");
  const { task, dir } = opened;
  const maxLength = given.has("maxLength") ? Math.min(options.maxLength, opened.loaded.maxLength) : opened.maxLength;
  const records = partOf(
    await loadRecords(task, options.data.map(path), {
      labelled: true,
      stdin: io.stdin,
      unlabelled: options.unlabelled,
      onNote: note,
      ...columnsOf(options.columns),
      ...(options.format && { format: options.format }),
    }),
    splitByColumn,
    options,
    note,
  );
  const dna = nucleotidesInRecords(records, opened.tokenizer, {
    where: `--data ${options.data.join(" ")}`,
    allowed: options.allowDna,
  });
  if (dna !== undefined) note(dna);
  const { backend, place } = await chooseBackend(
    options.backend,
    options.threads === undefined ? {} : { threads: options.threads },
  );
  note(`${formatInteger(records.length)} examples of ${task.kind}; ${place}`);
  try {
    const model = await startTask(
      { ...opened, maxLength },
      { backend, tokensPerBatch: options.batchTokens, compute: options.precision },
    );
    const { figures, byLabel, cut } = await model.report(
      records.map(({ record }) => record),
      (i) => records[i]?.where ?? "",
    );
    await model.dispose();
    const undefinedFigures = Object.keys(figures).filter((name) => Number.isNaN(figures[name]));
    return {
      json: {
        checkpoint: dir,
        task: task.kind,
        examples: records.length,
        cut,
        ...figures,
        ...(byLabel && { labels: byLabel }),
        peakBytes: peakBytes(),
      },
      text: [
        ...columns(
          Object.entries(figures).map(([name, value]) => [name, value.toFixed(4)]),
          [1],
        ),
        ...(undefinedFigures.length > 0
          ? [`not defined for these examples: ${undefinedFigures.join(", ")} (too few of them, or all alike)`]
          : []),
        ...cutInWords(cut, maxLength, ["example", "token"]),
        ...(byLabel ? labelTable(byLabel) : []),
      ],
    };
  } finally {
    await backend.dispose();
  }
}

/** The rows that `--split` names; all rows if no column divides them, or if it is not given. */
function partOf(
  records: readonly Located<object>[],
  splitByColumn: <R>(records: readonly Located<R>[], column?: string) => SplitColumns<R> | undefined,
  { split, splitColumn }: EvaluateOptions,
  note: (line: string) => void,
): readonly Located<object>[] {
  const found = splitByColumn(records, splitColumn);
  if (found === undefined) {
    if (split === "all") return records;
    throw new ConfigError(
      `--split ${split}: expected a column that marks rows ${split}, got none. Name it with --split-column.`,
    );
  }
  const { columns: names, parts } = found;
  const amounts = (["train", "valid", "test"] as const)
    .map((name) => `${name} ${formatInteger(parts[name].length)}`)
    .join(", ");
  const marked =
    `the column${names.length > 1 ? "s" : ""} ${names.join(" and ")} ` +
    `mark${names.length > 1 ? "" : "s"} ${amounts}`;
  if (split === "all") note(`figures are over all rows; ${marked}. --split test takes one part`);
  else note(`--split ${split}: ${marked}`);
  const chosen = split === "all" ? records : parts[split];
  if (chosen.length === 0)
    throw new ConfigError(`--split ${split}: expected rows marked ${split}, got none: ${marked}.`);
  return chosen;
}

function labelTable(byLabel: LabelScores): readonly string[] {
  const rows = Object.entries(byLabel).map(([label, { precision, recall, f1, support }]) => [
    label,
    precision.toFixed(4),
    recall.toFixed(4),
    f1.toFixed(4),
    formatInteger(support),
  ]);
  return ["", ...columns([["label", "precision", "recall", "F1", "examples"], ...rows], [1, 2, 3, 4])];
}

async function part({ train, valid }: TrainingData, split: EvaluateOptions["split"]): Promise<Dataset> {
  if (split === "train") return train;
  if (split === "valid") return valid;
  return joinParts([train, valid].filter(({ size }) => size > 0).map((dataset) => ({ dataset, weight: undefined })));
}
