/** One side of the page, proteins or text: its worker, its data, its run and its panels. */
import type { DataSummary, DeviceInfo, RunState, Settings, Side as Kind, Source } from "../protocol.ts";
import { putSaved, readSaved, type SavedContent, type SavedEntry } from "../storage.ts";
import { WorkerClient, WorkerFailure } from "../worker-client.ts";
import { readZip, writeZip } from "../zip.ts";
import { DataPanel } from "./data-panel.ts";
import { h, idOf } from "./dom.ts";
import { bytes, integer } from "./format.ts";
import type { Notice } from "./notice.ts";
import { ProteinView, type Ask } from "./protein-view.ts";
import { SavedPanel } from "./saved-panel.ts";
import { SettingsForm } from "./settings-form.ts";
import { TextView } from "./text-view.ts";
import { TrainingPanel } from "./training-panel.ts";

export interface SideOptions {
  readonly kind: Kind;
  readonly device: "auto" | "wasm";
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
  readonly #protein: ProteinView | undefined;
  readonly #text: TextView | undefined;
  #source: { readonly source: Source; readonly vocabulary: number } | undefined;
  #summary: DataSummary | undefined;
  #state: RunState | undefined;
  #reading = false;
  /** Id of the run in the browser's storage. */
  #id = "";
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: SideOptions) {
    const { kind, notice } = options;
    const ask: Ask = (name, asked, how) => this.#client.ask(name, asked, how);
    this.#options = options;
    this.#client = new WorkerClient({
      onRow: (row) => {
        this.#training.add(row);
        this.#protein?.trained();
      },
      onState: (state) => this.#take(state),
    });
    this.#data = new DataPanel(kind, {
      onSource: (source, vocabulary) => void this.#open(source, vocabulary),
      onCancel: () => this.#restart(),
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
    this.#protein = kind === "protein" ? new ProteinView(ask, notice) : undefined;
    this.#text = kind === "text" ? new TextView(ask, notice) : undefined;
    const look = (this.#protein ?? this.#text)?.element;
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
      h("div", { class: "column wide" }, this.#training.element, ...(look ? [look] : [])),
      h("div", { class: "column" }, this.#saved.element),
    );
    void this.#probe();
    void notice.during(() => this.#saved.refresh());
  }

  async #probe(): Promise<void> {
    await this.#options.notice.during(async () =>
      this.#options.onDevice(await this.#client.ask("probe", { kind: this.#options.device })),
    );
  }

  /** Takes a new state of the run, and enables only the controls that may be used now. */
  #take(state: RunState): void {
    const before = this.#state?.phase;
    this.#state = state;
    const { phase, error } = state;
    const isRun = phase === "training" || phase === "paused" || phase === "finished";
    this.#training.show(state, this.#summary !== undefined);
    this.#lock();
    if (phase !== before) {
      this.#saved.ready(isRun);
      this.#protein?.ready(isRun);
      this.#text?.ready(isRun);
      if (phase === "finished") this.#estimate();
    }
    if (error !== undefined) this.#options.notice.show(new WorkerFailure(error));
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
    this.#lock();
    if (done && this.#summary !== undefined) this.#showData(this.#summary);
    this.#training.show(this.#state, this.#summary !== undefined);
  }

  #showData(data: DataSummary): void {
    this.#data.show(data);
    this.#protein?.show(data.examples, data.valid > 0);
    this.#text?.vocabulary(true);
    if (this.#state === undefined || this.#state.phase === "idle") this.#training.reset([], data.unigramEntropy);
    this.#estimate();
  }

  #estimate(): void {
    clearTimeout(this.#timer);
    this.#form.showEstimate(undefined);
    this.#timer = setTimeout(() => void this.#ask(), ESTIMATE_AFTER_MS);
  }

  async #ask(): Promise<void> {
    const settings = this.#form.value;
    const phase = this.#state?.phase ?? "idle";
    if (settings === undefined || this.#summary === undefined || phase === "preparing" || phase === "training") return;
    await this.#options.notice.during(async () => {
      const estimate = await this.#client.ask("estimate", settings);
      if (JSON.stringify(this.#form.value) === JSON.stringify(settings)) this.#form.showEstimate(estimate);
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
    this.#id = newId();
    this.#training.reset([], this.#summary?.unigramEntropy);
    this.#saved.say("");
    await this.#client.ask("start", settings);
  }

  async #close(): Promise<void> {
    await this.#client.ask("close", null);
    this.#training.reset([], this.#summary?.unigramEntropy);
    this.#estimate();
  }

  /** Ends the worker with all its work. The new worker reads the data again. */
  #restart(): void {
    const reading = this.#reading;
    const source = this.#source;
    this.#client.restart();
    this.#state = undefined;
    this.#training.show(undefined, false);
    void this.#probe();
    if (!reading && source !== undefined) void this.#open(source.source, source.vocabulary);
    else this.#forget();
    this.#lock();
  }

  #forget(): void {
    this.#summary = undefined;
    this.#source = undefined;
    this.#protein?.show([], false);
    this.#text?.vocabulary(false);
    this.#training.reset([], undefined);
    this.#form.showEstimate(undefined);
  }

  async #saveContent(): Promise<SavedContent> {
    const { files, source } = await this.#client.ask("save", null);
    return { files, source };
  }

  async #save(): Promise<void> {
    const settings = this.#state?.settings;
    if (settings === undefined) return;
    await this.#options.notice
      .during(async () => {
        this.#saved.say("Saving…");
        const content = await this.#saveContent();
        const { step } = JSON.parse(new TextDecoder().decode(content.files["trainer_state.json"])) as {
          readonly step: number;
        };
        const size = Object.values(content.files).reduce(
          (n, file) => n + file.length,
          content.source?.bytes?.length ?? 0,
        );
        const entry: SavedEntry = {
          id: this.#id,
          side: settings.side,
          name: nameOf(settings, this.#summary),
          step,
          loss: this.#training.rows.findLast((row) => row.type === "train" && row.step <= step)?.loss,
          bytes: size,
          savedAt: Date.now(),
        };
        await putSaved(entry, content);
        await this.#saved.refresh();
        this.#saved.say(`Saved step ${integer(step)}, ${bytes(size)}.`);
      })
      .then((saved) => {
        if (!saved) this.#saved.say("");
      });
  }

  async #download(): Promise<void> {
    const settings = this.#state?.settings;
    if (settings === undefined) return;
    await this.#options.notice.during(async () => {
      const { files } = await this.#saveContent();
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

  async #load({ id, name }: SavedEntry): Promise<void> {
    await this.#options.notice
      .during(async () => {
        this.#saved.say(`Loading ${name}…`);
        await this.#restore(await readSaved(id), id);
      })
      .then((loaded) => {
        this.#saved.say(loaded ? `${name} is loaded.` : "");
      });
  }

  async #openFile(file: File): Promise<void> {
    await this.#options.notice
      .during(async () => {
        this.#saved.say(`Loading ${file.name}…`);
        await this.#restore(
          { files: await readZip(new Uint8Array(await file.arrayBuffer())), source: undefined },
          newId(),
        );
      })
      .then((loaded) => {
        this.#saved.say(loaded ? `${file.name} is loaded.` : "");
      });
  }

  async #restore(content: SavedContent, id: string): Promise<void> {
    const { settings, data, rows } = await this.#client.ask("load", { side: this.#options.kind, ...content });
    this.#id = id;
    this.#form.show(settings);
    if (data !== undefined) {
      this.#summary = data;
      if (content.source !== undefined) this.#source = { source: content.source, vocabulary: data.vocabulary ?? 0 };
      this.#showData(data);
    }
    this.#training.reset(rows, data?.unigramEntropy ?? this.#summary?.unigramEntropy);
    this.#training.show(this.#state, this.#summary !== undefined);
    this.#lock();
  }
}

const nameOf = ({ size, objective }: Settings, data: DataSummary | undefined): string =>
  `${data?.name ?? "Run"}, ${size}, ${objective}`;

/** A new id for a run. (`crypto.randomUUID` is missing where the page comes over plain http from another machine.) */
const newId = (): string => `${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}`;
