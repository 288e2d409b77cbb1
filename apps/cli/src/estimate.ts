/** The work of `cloze estimate`: memory, time and cost of a run before it starts. */
import { framingLength } from "@cloze/data";
import { ConfigError } from "@cloze/errors";
import { countParameters } from "@cloze/nn";
import { formatBytes, formatCount, formatDuration, formatFlops, formatInteger } from "@cloze/trainer";
import { chooseBackend } from "./backends.ts";
import type { Context, Result } from "./command.ts";
import type { ESTIMATE_OPTIONS } from "./estimate-options.ts";
import { drawnBatches, measureSpeed, memoryOfStep } from "./estimate-step.ts";
import { alphabetOf, tokenizerOfModel } from "./model-tokenizer.ts";
import { madeFor, modelSource, parametersOfSource } from "./model-sources.ts";
import { findObjective } from "./objectives.ts";
import { optimizerOf } from "./optimizers.ts";
import { columns } from "./output.ts";
import { readObject, type Values } from "./options.ts";
import { deviceCosts, dollars, percent } from "./run-costs.ts";
import { tokenizerFrom } from "./tokenizers.ts";
import { unitOf } from "./training-batches.ts";
import { framingOf, openTrainingData } from "./training-data.ts";
import { namesInWords, whileWaiting, type WaitingLine } from "./waiting-line.ts";

type EstimateContext = Pick<Context<typeof ESTIMATE_OPTIONS>, "options" | "io" | "path" | "note" | "json"> & {
  readonly options: Values<typeof ESTIMATE_OPTIONS>;
};

/** Number of steps that `--measure` times, after one warm-up step. */
const MEASURED = 3;

export function estimateRun(context: EstimateContext): Promise<Result> {
  return whileWaiting(context.io.stderr, context.json, (waiting) => estimated(context, waiting));
}

async function estimated(
  { options, io, path, note }: Omit<EstimateContext, "json">,
  waiting: WaitingLine,
): Promise<Result> {
  const { model, maxLength: asked, batchTokens, accumulate, precision } = options;
  // Without --tokenizer the model keeps its own vocabulary, of which the drawn batches use some ids.
  const { tokenizer: named } = options;
  const alphabet = (): Promise<string | undefined> =>
    options.data.length > 0 ? tokenizerOfModel(model, path, "estimate --data") : alphabetOf(model, path);
  const tokenizer = await tokenizerFrom(named ?? (await alphabet()) ?? "esm2", path);
  const objective = (await findObjective(options.objective, io.cwd)).objective(tokenizer);
  const source = await modelSource(
    {
      model,
      modelOptions: readObject(options.modelOptions),
      path,
      zeroInitHead: false,
      ...madeFor(named === undefined ? undefined : tokenizer, model),
    },
    objective.requires,
  );
  const maxLength = Math.min(asked, source.maxLength);
  const rows = Math.floor(batchTokens / accumulate / maxLength);
  if (rows < 1)
    throw new ConfigError(
      `estimate: --batch-tokens ${batchTokens} in ${accumulate} parts is less than one row of --max-length ` +
        `${maxLength}. Raise --batch-tokens, or lower the others.`,
    );
  // Rates and decays do not matter here: only the state and the computation do.
  const rates = {
    lr: 1,
    adamLr: 1,
    beta1: 0.9,
    beta2: 0.98,
    weightDecay: 0.01,
    muonMomentum: 0.95,
    clipPercentile: undefined,
    clipHistory: 1,
  };
  const optimizer = optimizerOf({ ...rates, optimizer: options.optimizer, ema: options.ema });
  const batches = drawnBatches(tokenizer, rows, maxLength);
  const setup = { source, objective, optimizer, clip: 1, compute: precision, rematerialise: options.rematerialise };
  waiting.say("planning the memory of a step");
  const memory = await memoryOfStep(setup, batches, accumulate);

  const parameters = countParameters(parametersOfSource(source, objective.requires));
  const flopsPerToken = source.flopsPerToken?.(maxLength);
  const measured = options.measure
    ? await measure({ ...setup, batches, accumulate }, options, note, waiting)
    : undefined;
  const device = options.device ?? measured?.device ?? "a device that was not named";
  const costs = await deviceCosts({ device, precision, flopsPerToken }, options, path);
  const { peak } = costs;
  const assumed =
    peak !== undefined && flopsPerToken !== undefined && measured === undefined && options.tokensPerSecond === undefined
      ? (options.mfu * peak) / flopsPerToken
      : undefined;
  const tokensPerSecond = options.tokensPerSecond ?? measured?.tokensPerSecond ?? assumed;
  const mfu =
    tokensPerSecond !== undefined && flopsPerToken !== undefined && peak !== undefined
      ? (tokensPerSecond * flopsPerToken) / peak
      : undefined;
  if (options.data.length > 0) waiting.say(`counting the tokens of ${namesInWords(options.data)}`);
  const tokens = await tokensOf({ options, io, path }, tokenizer, objective, maxLength);
  const seconds = tokens !== undefined && tokensPerSecond !== undefined ? tokens / tokensPerSecond : undefined;
  const price =
    seconds !== undefined && costs.dollarsPerHour !== undefined ? (seconds / 3600) * costs.dollarsPerHour : undefined;

  const how =
    options.tokensPerSecond !== undefined
      ? "as given"
      : measured !== undefined
        ? `measured on ${measured.device}`
        : `if it reaches ${percent(options.mfu)} of its peak; --mfu, --measure`;
  return {
    json: {
      model,
      parameters,
      vocabulary: source.model.vocab,
      maxLength,
      batchTokens: rows * maxLength * accumulate,
      accumulate,
      precision,
      optimizer: optimizer.name,
      flopsPerToken,
      memory,
      device,
      peakTflops: peak && peak / 1e12,
      tokens,
      tokensPerSecond,
      assumed: assumed !== undefined,
      mfu,
      seconds,
      dollars: price,
    },
    text: columns([
      ["model", `${model}, ${formatInteger(parameters)} parameters`],
      [
        "vocabulary",
        `${formatInteger(source.model.vocab)} tokens, ` +
          (named === undefined || model.endsWith(".json") ? "the model's own" : `those of ${named}`),
      ],
      [
        "step",
        `${formatInteger(rows * accumulate)} rows of ${formatInteger(maxLength)} ` +
          `tokens${accumulate > 1 ? ` in ${accumulate} parts` : ""}, ${options.optimizer}, ${precision}`,
      ],
      ...(flopsPerToken === undefined
        ? []
        : [["compute", `${formatFlops(flopsPerToken)} a token, forward and backward`]]),
      ["memory", `${formatBytes(memory.total)}: a plan of the step's kernels, as webgpu makes them`],
      ["  parameters", formatBytes(memory.parameters)],
      ["  optimizer", formatBytes(memory.optimizer)],
      ...(accumulate > 1 ? [["  gradients", `${formatBytes(memory.accumulated)}, summed over the parts`]] : []),
      ["  temporaries", `${formatBytes(memory.temporaries)}: activations${accumulate > 1 ? "" : ", gradients"}`],
      ...(tokensPerSecond === undefined
        ? [["speed", "not known: --device, --tokens-per-second or --measure says it"]]
        : [
            ["speed", `${formatCount(tokensPerSecond)} tokens/s, ${how}`],
            ...(mfu === undefined
              ? []
              : [["MFU", `${percent(mfu)} of ${((peak as number) / 1e12).toPrecision(4)} TFLOPS (${costs.peakIs})`]]),
          ]),
      ...(tokens === undefined
        ? []
        : [
            [
              "run",
              `${formatCount(tokens)} ` +
                `tokens${flopsPerToken === undefined ? "" : `, ${formatFlops(tokens * flopsPerToken)}`}`,
            ],
          ]),
      ...(seconds === undefined ? [] : [["time", formatDuration(seconds)]]),
      ...(price === undefined
        ? []
        : [["cost", `${dollars(price)} at ${dollars(costs.dollarsPerHour as number)} an hour`]]),
    ]),
  };
}

async function measure(
  setup: Omit<Parameters<typeof measureSpeed>[0], "backend">,
  { backend: choice, threads }: EstimateContext["options"],
  note: EstimateContext["note"],
  waiting: WaitingLine,
): Promise<{ readonly device: string; readonly tokensPerSecond: number }> {
  waiting.say("starting the backend");
  const { backend, place } = await chooseBackend(choice, threads === undefined ? {} : { threads });
  waiting.finish();
  note(`${place}: measuring ${MEASURED} steps`);
  try {
    return {
      device: backend.capabilities.device,
      tokensPerSecond: await measureSpeed({ ...setup, backend }, MEASURED, waiting.say),
    };
  } finally {
    await backend.dispose();
  }
}

/**
 * Tokens of the whole run: `--tokens`, or the tokens of the data times the epochs. Training frames and crops sequences,
 * and so does this count. Undefined without both options.
 */
async function tokensOf(
  { options, io, path }: Omit<EstimateContext, "note" | "json">,
  tokenizer: Awaited<ReturnType<typeof tokenizerFrom>>,
  objective: Parameters<typeof unitOf>[0],
  maxLength: number,
): Promise<number | undefined> {
  if (options.tokens !== undefined && options.data.length > 0)
    throw new ConfigError("estimate: expected --tokens or --data, got both. Leave one out.");
  if (options.data.length === 0) return options.tokens;
  const frame = framingLength(framingOf(tokenizer));
  const { train } = await openTrainingData({
    files: options.data,
    tokenizer,
    validShare: 0,
    path,
    reading: options,
    env: io.env,
    stdin: io.stdin,
    unit: unitOf(objective),
    window: { length: maxLength - frame, seed: 0 },
  });
  let tokens = 0;
  for (let i = 0; i < train.size; i++) tokens += Math.min(maxLength, train.lengthOf(i) + frame);
  return tokens * options.epochs;
}
