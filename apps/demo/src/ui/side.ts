/** One side of the page, proteins or text: its worker, its data, its run and its panels. */
import type {
  BundledModel,
  DataSummary,
  DeviceInfo,
  LoadedRun,
  RunState,
  SavedEntry,
  Side as Kind,
  Source,
} from "../protocol.ts";
import { WorkerClient, WorkerFailure } from "../worker-client.ts";
import type { DeviceAsked } from "../worker/device-choice.ts";
import { readZip, writeZip } from "../zip.ts";
import { DataPanel } from "./data-panel.ts";
import { h, idOf } from "./dom.ts";
import { bytes, integer, nats, timeOfDay } from "./format.ts";
import type { Notice } from "./notice.ts";
import { ProteinView, type Ask } from "./protein-view.ts";
import { SavedPanel } from "./saved-panel.ts";
import { SettingsForm } from "./settings-form.ts";
import { TextView } from "./text-view.ts";
import { TrainingPanel } from "./training-panel.ts";

export interface SideOptions {
  readonly kind: Kind;
  readonly device: DeviceAsked;
  readonly notice: Notice;
  readonly onDevice: (device: DeviceInfo) => void;
}

/** Delay between the last change of the form and the request for an estimate. */
const ESTIMATE_AFTER_MS = 400;

export class Side {
  readonly element: HTMLElement;
  readonly #options: SideOptions;
  readonly #client: WorkerClient;
  readonly #data: DataPanel;
  readonly #form: SettingsForm;
  readonly #training: TrainingPanel;
  readonly #saved: SavedPanel;
  readonly #view: ProteinView | TextView;
  #source: { readonly source: Source; readonly vocabulary: number } | undefined;
  #summary: DataSummary | undefined;
  #bundled: BundledModel | undefined;
  #state: RunState | undefined;
  #reading = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #estimating: AbortController | undefined;

  constructor(options: SideOptions) {
    const { kind, notice } = options;
    const ask: Ask = (name, asked, how) => this.#client.ask(name, asked, how);
    this.#options = options;
    this.#client = new WorkerClient({
      onRow: (row) => {
        this.#training.add(row);
        this.#view.trained();
      },
      onState: (state) => this.#take(state),
      onAutosave: (autosave) => void this.#saved.autosaved(autosave),
    });
    this.#data = new DataPanel(kind, {
      onSource: (source, vocabulary) => void this.#open(source, vocabulary),
      onCancel: () => this.#restart(),
      onProblem: (error) => notice.show(error),
    });
    this.#form = new SettingsForm(kind, () => this.#estimate());
    this.#training = new TrainingPanel(kind, {
      onMain: () => void this.#main(),
      onClose: () => void notice.during(() => this.#close()),
    });
    this.#saved = new SavedPanel(
      kind,
      {
        onSave: () => void this.#save(),
        onDownload: () => void this.#download(),
        onLoad: (entry) => void this.#load(entry),
        onFile: (file) => void this.#openFile(file),
      },
      notice,
    );
    this.#view = kind === "protein" ? new ProteinView(ask, notice) : new TextView(ask, notice);
    const title = idOf(kind, "model-title");
    this.element = h(
      "div",
      { class: "side" },
      h(
        "div",
        { class: "column" },
        this.#data.element,
        h("section", { "aria-labelledby": title }, h("h2", { id: title }, "Model"), this.#form.element),
      ),
      h("div", { class: "column wide" }, this.#training.element, this.#view.element),
      h("div", { class: "column" }, this.#saved.element),
    );
    void this.#begin();
  }

  /** Steps that would be lost with the page. */
  get unsavedSteps(): number {
    return this.#state?.unsavedSteps ?? 0;
  }

  /** Saves unsaved steps at the next boundary between steps, even while the page waits for an answer. */
  saveSteps(): void {
    void this.#client.ask("saveSteps", null).catch(() => {}); // The worker reports a save that fails.
  }

  /** Opens the device, then the run that was open when the page ended, and the bundled model. */
  async #begin(): Promise<void> {
    const { kind, notice, device, onDevice } = this.#options;
    const opened = await notice.during(async () => onDevice(await this.#client.ask("probe", { asked: device })));
    if (!opened) return this.#view.ready("none", "There is no device to compute on.");
    await notice.attempt(async () => {
      await this.#saved.refresh();
      const found = await this.#client.ask("restore", { side: kind });
      if (found === "elsewhere") this.#saved.say("The last run is open in another tab of this page.");
      else if (found !== undefined) {
        this.#show(found);
        const { step, savedAt } = found.entry;
        this.#saved.say(`The run is as it was at step ${integer(step)}, saved at ${timeOfDay(savedAt)}.`);
      }
    });
    await this.#openBundled();
  }

  async #openBundled(): Promise<void> {
    const done = await this.#options.notice.attempt(async () => {
      this.#bundled = await this.#client.ask("bundled", { side: this.#options.kind });
      this.#form.offer(this.#bundled);
    });
    if (!done) this.#view.ready("none", "The bundled model could not be opened. Train one, or load a saved run.");
    this.#showExamples();
    this.#showIdle();
    this.#refresh();
  }

  /** Takes a new state of the run, and enables only the controls that may be used now. */
  #take(state: RunState): void {
    const before = this.#state;
    this.#state = state;
    const { phase, error, shown } = state;
    this.#refresh();
    if (phase !== before?.phase || shown !== before.shown) {
      const isRun = phase === "training" || phase === "paused" || phase === "finished";
      this.#saved.ready(isRun);
      this.#view.ready(shown, phase === "preparing" ? "The model comes as soon as it can train." : "One moment…");
      if (phase === "finished" && before?.phase !== phase) this.#estimate();
    }
    if (error !== undefined) this.#options.notice.show(new WorkerFailure(error));
  }

  #refresh(): void {
    this.#training.show(this.#state, this.#summary !== undefined, this.#bundled);
    this.#view.about(aboutOf(this.#state, this.#bundled));
    this.#lock();
  }

  #lock(): void {
    const phase = this.#state?.phase ?? "idle";
    const locked = phase === "preparing" || phase === "training" || phase === "paused";
    this.#form.lock(locked);
    this.#data.busy(this.#reading, locked);
    if (!this.#reading) this.#data.show(this.#summary);
  }

  async #open(source: Source, vocabulary: number): Promise<void> {
    this.#reading = true;
    this.#lock();
    const done = await this.#options.notice.during(async () => {
      this.#summary = await this.#client.ask("openData", { side: this.#options.kind, source, vocabulary });
      this.#source = { source, vocabulary };
    });
    this.#reading = false;
    if (done) this.#showData();
    this.#refresh();
  }

  #showData(): void {
    this.#data.show(this.#summary);
    this.#showExamples();
    this.#showIdle();
    this.#estimate();
  }

  /** The proteins or documents of the data, or those that come with the bundled model. */
  #showExamples(): void {
    const { examples, valid } = this.#summary ?? { examples: this.#bundled?.examples ?? [], valid: 1 };
    this.#view.show(examples, valid > 0);
  }

  /** While there is no run, the chart shows how the bundled model was trained. */
  #showIdle(): void {
    if ((this.#state?.phase ?? "idle") !== "idle") return;
    this.#training.reset(this.#bundled?.rows ?? [], this.#bundled?.unigramEntropy ?? this.#summary?.unigramEntropy);
  }

  #estimate(): void {
    clearTimeout(this.#timer);
    this.#estimating?.abort();
    this.#form.showEstimate(undefined);
    this.#timer = setTimeout(() => void this.#ask(), ESTIMATE_AFTER_MS);
  }

  async #ask(): Promise<void> {
    const settings = this.#form.value;
    const phase = this.#state?.phase ?? "idle";
    if (settings === undefined || this.#summary === undefined || phase === "preparing" || phase === "training") return;
    const { signal } = (this.#estimating = new AbortController());
    this.#form.showEstimate("measuring");
    await this.#options.notice.attempt(async () => {
      const estimate = await this.#client.ask("estimate", settings, { signal });
      if (!signal.aborted) this.#form.showEstimate(estimate);
    });
  }

  async #main(): Promise<void> {
    const phase = this.#state?.phase ?? "idle";
    if (phase === "preparing") return this.#restart();
    await this.#options.notice.during(async () => {
      if (phase === "training") await this.#client.ask("pause", null);
      else if (phase === "paused") await this.#client.ask("resume", null);
      else await this.#start();
    });
  }

  async #start(): Promise<void> {
    const settings = this.#form.value;
    if (settings === undefined) {
      this.#form.element.reportValidity();
      return;
    }
    clearTimeout(this.#timer);
    this.#estimating?.abort();
    this.#saved.say("");
    this.#training.reset([], this.#summary?.unigramEntropy);
    const data = await this.#client.ask("start", settings);
    this.#training.floor(data.unigramEntropy);
  }

  async #close(): Promise<void> {
    await this.#client.ask("close", null);
    this.#showIdle();
    this.#refresh();
    this.#estimate();
    await this.#saved.refresh();
  }

  /** Ends the worker with all its work. The new worker reads the data again. */
  #restart(): void {
    const reading = this.#reading;
    const source = this.#source;
    this.#client.restart();
    this.#state = undefined;
    if (reading || source === undefined) {
      this.#summary = undefined;
      this.#source = undefined;
      this.#form.showEstimate(undefined);
      this.#showExamples();
    }
    this.#showIdle();
    this.#refresh();
    void this.#options.notice.during(async () => {
      this.#options.onDevice(await this.#client.ask("probe", { asked: this.#options.device }));
      await this.#openBundled();
    });
    if (!reading && source !== undefined) void this.#open(source.source, source.vocabulary);
  }

  async #save(): Promise<void> {
    this.#saved.say("Saving…");
    const saved = await this.#options.notice.during(async () => {
      const { step, bytes: size } = await this.#client.ask("save", null);
      await this.#saved.refresh();
      this.#saved.say(`Saved step ${integer(step)}, ${bytes(size)}.`);
    });
    if (!saved) this.#saved.say("");
  }

  async #download(): Promise<void> {
    const settings = this.#state?.settings;
    if (settings === undefined) return;
    await this.#options.notice.during(async () => {
      const files = await this.#client.ask("files", null);
      const name = `cloze-${settings.side}-${settings.size}`;
      const url = URL.createObjectURL(
        new Blob(
          [writeZip(Object.fromEntries(Object.entries(files).map(([file, data]) => [`${name}/${file}`, data])))],
          { type: "application/zip" },
        ),
      );
      h("a", { href: url, download: `${name}.zip` }).click();
      // By then the browser has started the download.
      setTimeout(() => URL.revokeObjectURL(url), 60_000);
      this.#saved.say(`${name}.zip holds the checkpoint in the Hugging Face layout.`);
    });
  }

  #load({ id, name }: SavedEntry): Promise<void> {
    return this.#restoring(name, () => this.#client.ask("loadSaved", { side: this.#options.kind, id }));
  }

  #openFile(file: File): Promise<void> {
    return this.#restoring(file.name, async () => {
      const files = await readZip(new Uint8Array(await file.arrayBuffer()));
      return this.#client.ask("load", { side: this.#options.kind, files });
    });
  }

  async #restoring(name: string, load: () => Promise<LoadedRun>): Promise<void> {
    this.#saved.say(`Loading ${name}…`);
    const loaded = await this.#options.notice.during(async () => {
      const run = await load();
      this.#show(run);
      this.#saved.say(
        run.copied
          ? `${name} is open in another tab too. This is a copy of it, which is saved under an entry of its own.`
          : `${name} is loaded.`,
      );
    });
    if (!loaded) this.#saved.say("");
  }

  #show({ settings, data, source, rows }: LoadedRun): void {
    this.#form.show(settings);
    if (data !== undefined) {
      this.#summary = data;
      if (source !== undefined) this.#source = { source, vocabulary: data.vocabulary ?? 0 };
      this.#showData();
    }
    this.#training.reset(rows, data?.unigramEntropy ?? this.#summary?.unigramEntropy);
    this.#refresh();
  }
}

/** Which model the views show, in words. */
function aboutOf(state: RunState | undefined, bundled: BundledModel | undefined): string {
  if (state?.shown === "run") return "The model of your run, as it is now.";
  if (state?.shown !== "bundled" || bundled === undefined) return "";
  const { settings, data, validLoss, unigramEntropy } = bundled;
  return (
    `The bundled model: trained for ${integer(settings.steps)} steps on ${data}. Held-out loss ${nats(validLoss)} ` +
    `nats; without context it would be ${nats(unigramEntropy)} at best.`
  );
}
