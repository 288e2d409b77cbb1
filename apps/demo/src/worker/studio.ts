/** The state of the worker (a device, data, a run) and the answers to all requests of the page. */
import { ConfigError } from "@cloze/errors";
import { createEncoder, type SequenceEncoder } from "@cloze/inference";
import type { Failure, RequestName, Requests, RunState, Settings, Side } from "../protocol.ts";
import { CONFIG_FILE, type RunFile, type TrainerRow } from "../run-files.ts";
import { filesOf, jsonOf, runFileOf, savedRunOf, tokenizerOf } from "./checkpoint-files.ts";
import { openData, type OpenedData } from "./data.ts";
import { openDevice, type Device } from "./device.ts";
import { estimateRun, measureRate } from "./estimate.ts";
import { failureOf, isDeviceLost } from "./failure.ts";
import { mapsOf, maskResidue, piecesOf, substitutionsOf, type Looked } from "./look.ts";
import { modelOf, newConfig, objectiveOf, type Model } from "./model.ts";
import { Run, type SavedRun } from "./run.ts";
import { viewOf } from "./session-view.ts";

export interface StudioEvents {
  readonly onRow: (row: TrainerRow) => void;
  readonly onState: (state: RunState) => void;
}

/** Progress and cancellation of one request. */
export interface Work {
  readonly progress: (share: number) => void;
  readonly signal: AbortSignal;
}

interface Held {
  readonly run: Run;
  readonly model: Model;
  readonly encoder: SequenceEncoder;
  readonly looked: Looked;
  readonly runFile: RunFile;
  readonly data: OpenedData | undefined;
}

const wordsOf = (side: Side): string => (side === "text" ? "text" : "proteins");

export class Studio {
  readonly #events: StudioEvents;
  #kind: "auto" | "wasm" = "auto";
  #device: Promise<Device> | undefined;
  #rate: Promise<number> | undefined;
  #data: OpenedData | undefined;
  #held: Held | undefined;

  constructor(events: StudioEvents) {
    this.#events = events;
  }

  answer<N extends RequestName>(name: N, ask: Requests[N]["ask"], work: Work): Promise<Requests[N]["answer"]> {
    return this.#answers[name](ask, work);
  }

  readonly #answers: {
    readonly [N in RequestName]: (ask: Requests[N]["ask"], work: Work) => Promise<Requests[N]["answer"]>;
  } = {
    probe: async ({ kind }) => {
      this.#kind = kind;
      return (await this.#opened()).info;
    },
    openData: async (ask) => {
      this.#data = await openData(ask);
      return this.#data.summary;
    },
    estimate: async (settings) => {
      const { backend } = await this.#opened();
      this.#rate ??= measureRate(backend);
      return estimateRun(settings, this.#needData(settings), await this.#rate);
    },
    start: async (settings) => {
      const data = this.#needData(settings);
      await this.#begin(settings, data, undefined);
      this.#held?.run.train();
      return null;
    },
    pause: async () => {
      await this.#need().run.pause();
      this.#tell();
      return null;
    },
    resume: async () => {
      this.#need().run.train();
      return null;
    },
    close: async () => {
      await this.#close();
      this.#tell();
      return null;
    },
    save: async () => {
      const { run, model, looked, runFile, data } = this.#need();
      return { files: filesOf(await run.save(), model, looked.tokenizer, runFile), source: data?.source };
    },
    load: async ({ side, files, source }) => {
      const runFile = runFileOf(files);
      const { settings } = runFile;
      if (settings.side !== side)
        throw new ConfigError(
          `run: expected one on ${wordsOf(side)}, got one on ${wordsOf(settings.side)}. Open it on the other ` +
            "side of the page.",
        );
      const tokenizer = await tokenizerOf(files, side);
      const opened = source === undefined ? this.#data : await openData({ side, source, vocabulary: 0, tokenizer });
      const fits = opened !== undefined && opened.side === side && opened.hash === runFile.data.hash;
      // Text that is already open may have another vocabulary. The run needs its own, so the text is read again.
      const data = !fits
        ? undefined
        : opened.tokenizer.hash === tokenizer.hash
          ? opened
          : await openData({ side, source: opened.source, vocabulary: 0, tokenizer });
      if (data !== undefined) this.#data = data;
      const saved = await this.#begin(settings, data, { files, runFile });
      return { settings, data: data?.summary, rows: saved?.rows ?? [] };
    },
    mask: async ({ sequence, at }) => maskResidue(this.#need().looked, sequence, at),
    maps: async ({ sequence, layer, head }) => mapsOf(this.#need().looked, sequence, layer, head),
    substitutions: async ({ sequence }, { progress, signal }) =>
      substitutionsOf(this.#need().looked, sequence, progress, signal),
    pieces: async ({ text }) =>
      piecesOf(this.#held?.looked.tokenizer ?? this.#needData({ side: "text" }).tokenizer, text),
    fillMask: async ({ text }) =>
      (await this.#need().encoder.fillMask(text, { top: 8 })).map(({ candidates }) => ({ candidates })),
  };

  async #begin(
    settings: Settings,
    data: OpenedData | undefined,
    from: { readonly files: Requests["load"]["ask"]["files"]; readonly runFile: RunFile } | undefined,
  ): Promise<SavedRun | undefined> {
    await this.#close();
    this.#tell({ phase: "preparing", settings, doing: "Compiling the first step" });
    try {
      const { backend } = await this.#opened();
      const tokenizer = data?.tokenizer ?? (from && (await tokenizerOf(from.files, settings.side)));
      if (tokenizer === undefined)
        throw new ConfigError("training: expected data, got none. Open a file or take the sample.");
      const objective = await objectiveOf(settings, tokenizer);
      const config =
        from === undefined ? await newConfig(settings.side, settings.size) : jsonOf(from.files, CONFIG_FILE);
      const model = await modelOf(config, `${settings.side}-${settings.size}`, objective, tokenizer);
      const saved = from && (await savedRunOf(from.files, model));
      const run = await Run.start({
        backend,
        settings,
        model,
        objective,
        data,
        ...(saved && { saved }),
        onRow: (row) => {
          this.#events.onRow(row);
          this.#tell();
        },
        onPhase: () => this.#tell(),
        onFailure: (error) => this.#failed(error),
      });
      const encoder = await createEncoder({
        backend: viewOf(backend, run.session),
        model: model.opened.model,
        weights: saved?.weights ?? run.weights,
        tokenizer,
      });
      this.#held = {
        run,
        model,
        encoder,
        looked: { encoder, tokenizer },
        runFile: from?.runFile ?? {
          version: 1,
          settings,
          data: { name: data?.source.name ?? "", hash: data?.hash ?? "" },
        },
        data,
      };
      this.#tell();
      return saved;
    } catch (error) {
      this.#tell();
      throw error;
    }
  }

  async #close(): Promise<void> {
    const held = this.#held;
    this.#held = undefined;
    if (held === undefined) return;
    await held.run.pause();
    await held.encoder.dispose();
    await held.run.dispose();
  }

  /** Reports the failure of a run. A lost device is not usable any more, so the next run opens a new device. */
  #failed(error: unknown): void {
    const { step = 0, options } = this.#held?.run ?? {};
    const steps = options?.settings.steps ?? 0;
    if (isDeviceLost(error)) {
      this.#device = undefined;
      this.#held = undefined;
    }
    this.#tell({ phase: "failed", step, steps, error: failureOf(error) });
  }

  #opened(): Promise<Device> {
    this.#device ??= openDevice(this.#kind);
    this.#device.catch(() => {
      this.#device = undefined;
    });
    return this.#device;
  }

  #need(): Held {
    if (this.#held === undefined)
      throw new ConfigError("expected a model, got none yet. Train one, or load a saved run.");
    return this.#held;
  }

  #needData({ side }: Pick<Settings, "side">): OpenedData {
    if (this.#data === undefined || this.#data.side !== side)
      throw new ConfigError("expected data, got none yet. Open a file or take the sample.");
    return this.#data;
  }

  #tell(more: Partial<RunState> & { readonly error?: Failure } = {}): void {
    const held = this.#held;
    this.#events.onState({
      phase: held?.run.phase ?? "idle",
      step: held?.run.step ?? 0,
      steps: held?.run.options.settings.steps ?? 0,
      parameters: held?.run.parameterCount ?? 0,
      settings: held?.run.options.settings,
      validLoss: held?.run.validLoss,
      doing: held?.run.evaluating === true ? "Evaluating on what was held out" : "",
      canTrain: held?.data !== undefined,
      ...more,
    });
  }
}
