/**
 * The work of `cloze quickstart`: pretrains on the bundled sample, compares the loss with the unigram entropy, and
 * fills a mask.
 */
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { createEncoder } from "@cloze/inference";
import { readFasta } from "@cloze/data/node";
import { splitOf } from "@cloze/data";
import { formatDuration } from "@cloze/trainer";
import { chooseBackend } from "./backends.ts";
import type { Context, Result } from "./command.ts";
import { SAMPLE_FILE, SAMPLE_NAME } from "./data-sources.ts";
import { onInterrupt, UnsavedSteps } from "./interrupt.ts";
import { loadModel } from "./model-files.ts";
import { tokenizerOfFolder } from "./tokenizers.ts";
import { runPretraining, type PretrainOptions } from "./pretrain.ts";
import { peakBytes } from "./pretrain-report.ts";
import { SPLIT_SEED } from "./training-data.ts";

const SAMPLE = fileURLToPath(new URL("../sample/", import.meta.url));

/**
 * A small model on short rows: a few minutes on two cores. Most other options have the defaults of `cloze pretrain`.
 */
const SETTINGS: PretrainOptions = {
  model: join(SAMPLE, "esm2-quickstart.json"),
  modelOptions: "{}",
  data: [SAMPLE_NAME],
  format: undefined,
  field: undefined,
  documents: undefined,
  header: true,
  quotes: true,
  tokenizer: "esm2",
  objective: "mlm",
  objectiveOptions: "{}",
  valid: 0.05,
  steps: 500,
  epochs: undefined,
  tokens: undefined,
  budget: undefined,
  batchTokens: 4096,
  accumulate: 1,
  maxLength: 256,
  window: undefined,
  ropeBase: undefined,
  optimizer: "adamw",
  lr: 3e-3,
  adamLr: 4e-4,
  embeddingLr: undefined,
  headLr: undefined,
  decay: undefined,
  schedule: "linear",
  warmup: 0.05,
  finalLr: 0.1,
  weightDecay: 0.01,
  muonMomentum: "0:0.85,300:0.95",
  beta1: 0.9,
  beta2: 0.98,
  clip: 1,
  clipPercentile: undefined,
  clipHistory: 1000,
  ema: undefined,
  precision: "f32",
  rematerialise: false,
  zeroInitHead: true,
  seed: 0,
  evalEvery: 100,
  saveEvery: 100,
  keep: 1,
  out: undefined,
  resume: undefined,
  acceptChangedData: false,
  from: undefined,
  backend: "auto",
  threads: undefined,
  tune: false,
  plan: false,
  price: undefined,
  prices: undefined,
  peakTflops: undefined,
};

type QuickstartContext = Pick<Context, "json" | "io" | "path" | "print" | "note"> & {
  readonly options: { readonly out: string | undefined; readonly steps: number };
};

export async function quickstart({ options, ...context }: QuickstartContext): Promise<Result> {
  const { io } = context;
  const unsaved = new UnsavedSteps();
  const interrupt = onInterrupt(context.note, () => unsaved.inWords());
  try {
    context.note("A small ESM-2 learns from 5,500 proteins (UniProt Consortium, CC BY 4.0).");
    const given = new Set<string>();
    const { run, result, unigramEntropy, sentences } = await runPretraining(
      { ...context, given, runName: "quickstart", options: { ...SETTINGS, steps: options.steps, out: options.out } },
      interrupt.signal,
      unsaved,
    );
    const place = relative(io.cwd, run) || run;
    if (result.interrupted)
      return {
        json: { interrupted: true, run },
        exitCode: interrupt.exitCode(),
        text: [`Stopped and saved. Go on with: npx cloze pretrain --resume ${place}`],
      };
    const filled = await fillOne(result.checkpoint);
    const loss = result.evaluation?.loss ?? NaN;
    const entropy = unigramEntropy ?? NaN;
    const below = loss < entropy;
    const { evaluation } = result;
    return {
      json: {
        steps: result.steps,
        tokens: result.tokens,
        trainLoss: result.trainLoss,
        evalLoss: loss,
        unigramEntropy,
        belowUnigram: below,
        verdict: sentences,
        perplexity: evaluation?.perplexity,
        accuracy: evaluation?.accuracy,
        tokensPerSecond: result.tokensPerSecond,
        stepMs: result.stepMs,
        parameters: result.parameters,
        peakBytes: peakBytes(),
        seconds: result.seconds,
        run,
        report: join(run, "report.html"),
        checkpoint: result.checkpoint,
        filled,
      },
      text: [
        "",
        `Trained ${options.steps} steps in ${formatDuration(result.seconds)}.`,
        `  validation loss   ${loss.toFixed(4)} nats per residue (perplexity ${evaluation?.perplexity.toFixed(2)})`,
        `  unigram entropy   ${entropy.toFixed(4)} nats of the same residues: the best without context`,
        below
          ? `  The model uses context: ${(entropy - loss).toFixed(4)} nats below.`
          : "  Not below it yet: train longer, with --steps.",
        "",
        `A residue of ${filled.name}, masked:`,
        `  ${filled.shown}`,
        `  the truth is ${filled.truth}; the model says ` +
          `${filled.candidates.map((c) => `${c.token} ${(c.probability * 100).toFixed(1)} %`).join(", ")}`,
        "",
        `  report       ${join(place, "report.html")}`,
        `  checkpoint   ${relative(io.cwd, result.checkpoint) || result.checkpoint}`,
        `Go on: npx cloze fill-mask --checkpoint ${place} "MKT<mask>YIAKQR"`,
      ],
    };
  } finally {
    interrupt.stop();
  }
}

interface Filled {
  readonly name: string;
  readonly shown: string;
  readonly truth: string;
  readonly candidates: readonly { readonly token: string; readonly probability: number }[];
}

/** Masks a residue of the first held-out protein, and lets the model predict it. */
async function fillOne(checkpoint: string): Promise<Filled> {
  const { name, sequence } = await firstHeldOut();
  const at = Math.floor(sequence.length / 2);
  const around = 10;
  const masked = `${sequence.slice(0, at)}<mask>${sequence.slice(at + 1)}`;
  const loaded = await loadModel(checkpoint);
  const { backend } = await chooseBackend("auto");
  try {
    const encoder = await createEncoder({ ...loaded, backend, tokenizer: await tokenizerOfFolder(checkpoint) });
    const [answer] = await encoder.fillMask(masked, { top: 5 });
    return {
      name,
      truth: sequence[at] as string,
      shown: `…${sequence.slice(at - around, at)}<mask>${sequence.slice(at + 1, at + around + 1)}…`,
      candidates: (answer?.candidates ?? []).map(({ token, probability }) => ({ token, probability })),
    };
  } finally {
    await backend.dispose();
  }
}

async function firstHeldOut(): Promise<{ readonly name: string; readonly sequence: string }> {
  for await (const { header, sequence } of readFasta(SAMPLE_FILE).records()) {
    if (sequence.length >= 100 && splitOf(sequence, { seed: SPLIT_SEED, valid: SETTINGS.valid }) === "valid")
      return { name: header.split(" ")[0] as string, sequence: new TextDecoder().decode(sequence) };
  }
  throw new RangeError("the bundled sample holds no protein that is held out");
}
