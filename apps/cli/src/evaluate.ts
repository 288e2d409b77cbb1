/** The work of `cloze evaluate`. */
import { Evaluator, formatInteger } from "@cloze/trainer";
import { memoryDataset, type Dataset } from "@cloze/data";
import { ConfigError } from "@cloze/errors";
import { chooseBackend, type BackendChoice } from "./backends.ts";
import type { Context, Result } from "./command.ts";
import { loadModel } from "./model-files.ts";
import { sourceOfModel } from "./model-sources.ts";
import { findObjective } from "./objectives.ts";
import { columns } from "./output.ts";
import { evaluationBatches, peakBytes } from "./pretrain.ts";
import { checkpointFolder } from "./run-folder.ts";
import { tokenizerOfFolder } from "./tokenizers.ts";
import { framingOf, openTrainingData, unigramEntropyOf, type TrainingData } from "./training-data.ts";

interface EvaluateOptions {
  readonly checkpoint: string;
  readonly data: readonly string[];
  readonly split: "all" | "train" | "valid";
  readonly valid: number;
  readonly objective: string;
  readonly maxLength: number;
  readonly batchTokens: number;
  readonly precision: "f32" | "f16" | "bf16";
  readonly backend: BackendChoice;
  readonly threads: number | undefined;
}

type EvaluateContext = Pick<Context, "io" | "path" | "note"> & { readonly options: EvaluateOptions };

export async function evaluate({ options, io, path, note }: EvaluateContext): Promise<Result> {
  if (options.data.length === 0) throw new ConfigError("evaluate: --data is required: FASTA files (plain or gzip), or the .json of token shards. See: cloze evaluate --help");
  const dir = await checkpointFolder(path(options.checkpoint)), tokenizer = await tokenizerOfFolder(dir);
  const loaded = await loadModel(dir), source = sourceOfModel(options.checkpoint, loaded), { weights } = loaded;
  const data = await openTrainingData({ files: options.data, tokenizer, validShare: options.split === "all" ? 0 : options.valid, path });
  const dataset = await part(data, options.split), objective = (await findObjective(options.objective, io.cwd)).objective(tokenizer);
  const { backend, why } = await chooseBackend(options.backend, options.threads === undefined ? {} : { threads: options.threads });
  note(`${dataset.size.toLocaleString("en-US")} sequences; ${why}`);
  try {
    const maxLength = Math.min(options.maxLength, source.maxLength);
    const evaluator = new Evaluator({ backend, source, objective, compute: options.precision, batches: evaluationBatches(dataset, framingOf(tokenizer), maxLength, options.batchTokens) });
    const session = await backend.start(weights), result = await evaluator.run(session);
    await session.dispose();
    const unigramEntropy = await unigramEntropyOf(dataset, tokenizer), percent = (x: number): string => `${(x * 100).toFixed(2)} %`;
    return {
      json: { checkpoint: dir, sequences: dataset.size, ...result, unigramEntropy, peakBytes: peakBytes() },
      text: columns([
        ["loss", `${result.loss.toFixed(4)} nats over ${formatInteger(result.tokens)} masked residues`],
        ["unigram entropy", `${unigramEntropy.toFixed(4)} nats of the same sequences' residues`],
        ["perplexity", result.perplexity.toFixed(3)], ["accuracy", percent(result.accuracy)],
        ["precision", percent(result.precision)], ["recall", percent(result.recall)], ["F1", percent(result.f1)], ["MCC", result.mcc.toFixed(4)],
      ]),
    };
  } finally {
    await backend.dispose();
  }
}

async function part({ train, valid }: TrainingData, split: EvaluateOptions["split"]): Promise<Dataset> {
  if (split === "train") return train;
  if (split === "valid") return valid;
  if (valid.size === 0) return train;
  const examples: ArrayLike<number>[] = [];
  for (const half of [train, valid]) for (let i = 0; i < half.size; i++) examples.push(await half.read(i));
  return memoryDataset(examples);
}
