/** The state of the worker (a device, data, the bundled model, a run) and the answers to all requests of the page. */
import { ConfigError } from "@cloze/errors";
import { createEncoder, type SequenceEncoder } from "@cloze/inference";
import type { Autosave, Failure, Files, LoadedRun, RequestName, Requests } from "../protocol.ts";
import type { RunState, SavedEntry, Settings, Side, Source } from "../protocol.ts";
import { CONFIG_FILE, runName, type RunFile, type TrainerRow } from "../run-files.ts";
import { lockedIds, type Locks } from "../run-lock.ts";
import { listSaved, markOpen, readSaved } from "../storage.ts";
import { Bundled } from "./bundled.ts";
import { filesOf, jsonOf, runFileOf, savedRunOf, tokenizerOf, weightsOf } from "./checkpoint-files.ts";
import { openData, type OpenedData } from "./data.ts";
import type { DeviceAsked } from "./device-choice.ts";
import { openDevice, type Device } from "./device.ts";
import { estimateRun, type TimedSteps } from "./estimate.ts";
import { failureOf, isDeviceLost } from "./failure.ts";
import { Keeper, type OpenedFrom, type Snapshot } from "./keeper.ts";
import { mapsOf, maskResidue, piecesOf, substitutionsOf, type Looked } from "./look.ts";
import { modelOf, newConfig, objectiveOf, type Model } from "./model.ts";
import { Run } from "./run.ts";
import { viewOf } from "./session-view.ts";

export interface StudioEvents {
  readonly onRow: (row: TrainerRow) => void;
  readonly onState: (state: RunState) => void;
  readonly onAutosave: (autosave: Autosave) => void;
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
  readonly keeper: Keeper;
}

/** What a run begins from: files of a saved run and the entries they come from, or nothing. */
interface From {
  readonly files: Files;
  readonly runFile: RunFile;
  readonly entries: OpenedFrom;
}

/** Time between two looks at whether a save is due. */
const LOOK_MS = 1000;
const wordsOf = (side: Side): string => (side === "text" ? "text" : "proteins");

export class Studio {
  readonly #events: StudioEvents;
  readonly #locks: Locks | undefined;
  readonly #timedSteps: TimedSteps = new Map();
  #asked: DeviceAsked = "auto";
  #device: Promise<Device> | undefined;
  #data: OpenedData | undefined;
  readonly #bundled = new Bundled();
  #held: Held | undefined;
  #saving: Promise<SavedEntry | undefined> | undefined;

  constructor(events: StudioEvents, locks: Locks | undefined) {
    this.#events = events;
    this.#locks = locks;
    setInterval(() => {
      const { run, keeper } = this.#held ?? {};
      if (run?.phase === "training" && keeper?.isDue(run.step) === true) void this.#saveSteps();
    }, LOOK_MS);
  }

  answer<N extends RequestName>(name: N, ask: Requests[N]["ask"], work: Work): Promise<Requests[N]["answer"]> {
    return this.#answers[name](ask, work);
  }

  readonly #answers: {
    readonly [N in RequestName]: (ask: Requests[N]["ask"], work: Work) => Promise<Requests[N]["answer"]>;
  } = {
    probe: async ({ asked }) => {
      this.#asked = asked;
      return (await this.#opened()).info;
    },
    openData: async (ask) => {
      this.#data = await openData(ask);
      return this.#data.summary;
    },
    estimate: async (settings, { signal }) => {
      const { backend } = await this.#opened();
      const data = await this.#dataFor(settings);
      const model = await this.#modelFor(settings, data);
      return estimateRun({ settings, data, model, backend, signal }, this.#timedSteps);
    },
    bundled: async ({ side }) => {
      const about = await this.#bundled.open(side, (await this.#opened()).backend);
      this.#tell();
      return about;
    },
    start: async (settings) => {
      const data = await this.#dataFor(settings);
      await this.#begin(settings, data, undefined);
      this.#held?.run.train();
      return data.summary;
    },
    pause: async () => {
      await this.#need().run.pause();
      this.#tell();
      void this.#saveSteps();
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
    files: async () => (await this.#snapshot(this.#need())).files,
    save: async () => {
      const held = this.#need();
      const entry = await held.keeper.save(await this.#snapshot(held), false);
      this.#tell();
      return entry;
    },
    saveSteps: () => this.#saveSteps(),
    restore: ({ side }) => this.#restore(side),
    loadSaved: async ({ side, id }) => {
      const entry = (await listSaved()).find((each) => each.id === id);
      return this.#load(side, await readSaved(id), entry?.automatic === true ? { automatic: id } : { manual: id });
    },
    load: async ({ side, files }) => this.#load(side, { files, source: undefined }, {}),
    mask: async ({ sequence, at }) => maskResidue(await this.#looked(), sequence, at),
    maps: async ({ sequence, layer, head }) => mapsOf(await this.#looked(), sequence, layer, head),
    substitutions: async ({ sequence }, { progress, signal }) =>
      substitutionsOf(await this.#looked(), sequence, progress, signal),
    pieces: async ({ text }) => piecesOf((this.#held?.looked ?? this.#data ?? (await this.#looked())).tokenizer, text),
    fillMask: async ({ text }) => {
      const { encoder } = await this.#looked();
      return (await encoder.fillMask(text, { top: 8 })).map(({ candidates }) => ({ candidates }));
    },
  };

  /** Opens the run that was open when the page ended, unless another tab has it. */
  async #restore(side: Side): Promise<Requests["restore"]["answer"]> {
    const open = (await listSaved()).filter((each) => each.side === side && each.open === true);
    const locked = await lockedIds(this.#locks);
    const entry = open.find(({ id }) => !locked.has(id));
    if (entry === undefined) return open.length > 0 ? "elsewhere" : undefined;
    const content = await readSaved(entry.id);
    // A run that cannot be opened is not tried again at every start.
    await markOpen(entry.id, false);
    return { ...(await this.#load(side, content, { automatic: entry.id })), entry };
  }

  async #load(
    side: Side,
    { files, source }: { readonly files: Files; readonly source: Source | undefined },
    entries: OpenedFrom,
  ): Promise<LoadedRun> {
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
    const { run, keeper } = await this.#begin(settings, data, { files, runFile, entries });
    if (entries.automatic !== undefined && !(this.#locks !== undefined && keeper.copied))
      await keeper.reopened(entries.automatic);
    return { settings, data: data?.summary, source: data?.source, rows: run.rows, copied: keeper.copied };
  }

  async #begin(settings: Settings, data: OpenedData | undefined, from: From | undefined): Promise<Held> {
    await this.#close();
    this.#tell({ phase: "preparing", settings, doing: "Compiling the first step" });
    try {
      const { backend } = await this.#opened();
      const tokenizer = data?.tokenizer ?? (from && (await tokenizerOf(from.files, settings.side)));
      if (tokenizer === undefined)
        throw new ConfigError("training: expected data, got none. Open a file or take the sample.");
      const objective = await objectiveOf(settings, tokenizer);
      const model =
        from === undefined
          ? await this.#modelFor(settings, { tokenizer })
          : await modelOf(jsonOf(from.files, CONFIG_FILE), modelName(settings), objective, tokenizer);
      const saved = from && (await savedRunOf(from.files, model));
      const weights =
        from === undefined && settings.start === "bundled"
          ? await weightsOf((await this.#bundled.read(settings.side)).files, model.opened)
          : undefined;
      const run = await Run.start({
        backend,
        settings,
        model,
        objective,
        data,
        ...(saved && { saved }),
        ...(weights && { weights }),
        onRow: (row) => {
          this.#events.onRow(row);
          this.#tell();
        },
        onPhase: (phase) => {
          this.#tell();
          if (phase === "finished") void this.#saveSteps();
        },
        onFailure: (error) => this.#failed(error),
      });
      const encoder = await createEncoder({
        backend: viewOf(backend, run.session),
        model: model.opened.model,
        weights: run.weights,
        tokenizer,
      });
      const keeper = await Keeper.own(this.#locks, settings.side, from?.entries ?? {}, run.step);
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
        keeper,
      };
      return this.#held;
    } finally {
      this.#tell();
    }
  }

  /** Saves what is not saved yet, and closes the run. */
  async #close(): Promise<void> {
    const held = this.#held;
    if (held === undefined) return;
    await held.run.pause();
    await this.#saveSteps();
    this.#held = undefined;
    await held.keeper.close(this.#locks).catch((error: unknown) => this.#events.onAutosave(failed(error)));
    await held.encoder.dispose();
    await held.run.dispose();
  }

  /** Reports the failure of a run. A lost device is not usable any more, so the next run opens a new device. */
  #failed(error: unknown): void {
    const held = this.#held;
    const { step = 0, options } = held?.run ?? {};
    const steps = options?.settings.steps ?? 0;
    if (isDeviceLost(error)) {
      this.#device = undefined;
      this.#bundled.lost();
      this.#held = undefined;
      this.#timedSteps.clear();
      void held?.keeper.release();
    } else void this.#saveSteps(); // The model is as it was before the step that failed.
    this.#tell({ phase: "failed", step, steps, error: failureOf(error) });
  }

  /** Saves the run as the page's own entry, if it has steps that are not saved. */
  #saveSteps(): Promise<SavedEntry | undefined> {
    const held = this.#held;
    if (held === undefined || held.run.step <= held.keeper.savedStep) return Promise.resolve(undefined);
    this.#saving ??= this.#snapshot(held)
      .then((snapshot) => held.keeper.save(snapshot, true))
      .then(
        (entry) => {
          this.#events.onAutosave({ entry });
          return entry;
        },
        (error: unknown) => {
          this.#events.onAutosave(failed(error));
          return undefined;
        },
      )
      .finally(() => {
        this.#saving = undefined;
        this.#tell();
      });
    return this.#saving;
  }

  async #snapshot({ run, model, looked, runFile, data }: Held): Promise<Snapshot> {
    const saved = await run.save();
    const { step } = saved.state;
    return {
      name: runName(runFile),
      step,
      loss: saved.rows.findLast((row) => row.type === "train" && row.step <= step)?.loss,
      files: filesOf(saved, model, looked.tokenizer, runFile),
      source: data?.source,
    };
  }

  #opened(): Promise<Device> {
    this.#device ??= openDevice(this.#asked);
    this.#device.catch(() => {
      this.#device = undefined;
    });
    return this.#device;
  }

  /** The model that the views show: that of the run, else the bundled one. */
  async #looked(): Promise<Looked> {
    const looked = this.#held?.looked ?? (await this.#bundled.looked());
    if (looked === undefined) throw new ConfigError("expected a model, got none yet. Train one, or load a saved run.");
    return looked;
  }

  #need(): Held {
    if (this.#held === undefined)
      throw new ConfigError("expected a run, got none yet. Train a model, or load a saved run.");
    return this.#held;
  }

  /** The open data in the tokens of the model that a run starts from. */
  async #dataFor({ side, start }: Settings): Promise<OpenedData> {
    const data = this.#data;
    if (data === undefined || data.side !== side)
      throw new ConfigError("expected data, got none yet. Open a file or take the sample.");
    if (start !== "bundled") return data;
    const tokenizer = await tokenizerOf((await this.#bundled.read(side)).files, side);
    return data.tokenizer.hash === tokenizer.hash
      ? data
      : openData({ side, source: data.source, vocabulary: 0, tokenizer });
  }

  async #modelFor(settings: Settings, { tokenizer }: Pick<OpenedData, "tokenizer">): Promise<Model> {
    const { side, size, start } = settings;
    const config =
      start === "bundled" ? jsonOf((await this.#bundled.read(side)).files, CONFIG_FILE) : await newConfig(side, size);
    return modelOf(config, modelName(settings), await objectiveOf(settings, tokenizer), tokenizer);
  }

  #tell(more: Partial<RunState> & { readonly error?: Failure } = {}): void {
    const held = this.#held;
    this.#events.onState({
      phase: held?.run.phase ?? "idle",
      step: held?.run.step ?? 0,
      steps: held?.run.options.settings.steps ?? 0,
      parameters: held?.run.parameterCount ?? 0,
      shown: held !== undefined ? "run" : this.#bundled.isOpen ? "bundled" : "none",
      unsavedSteps: held === undefined ? 0 : Math.max(0, held.run.step - held.keeper.savedStep),
      secondsLeft: held?.run.secondsLeft,
      settings: held?.run.options.settings,
      validLoss: held?.run.validLoss,
      doing: held?.run.evaluating === true ? "Evaluating on what was held out" : "",
      canTrain: held?.data !== undefined,
      ...more,
    });
  }
}

const modelName = ({ side, size }: Settings): string => `${side}-${size}`;
const failed = (error: unknown): Autosave => ({ failure: failureOf(error) });
