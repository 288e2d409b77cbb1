/** The panel for a run's data: the sample, a chosen or dropped file, or pasted text. */
import type { DataSummary, Side, Source } from "../protocol.ts";
import { h, idOf, say } from "./dom.ts";
import { count, integer, nats } from "./format.ts";

const SAMPLES: Readonly<Record<Side, { readonly name: string; readonly words: string }>> = {
  protein: { name: "UniProt sample", words: "5,500 proteins (UniProt Consortium, CC BY 4.0)" },
  text: { name: "Austen sample", words: "160 kB of Pride and Prejudice, Jane Austen (public domain)" },
};
interface Words {
  readonly drop: string;
  readonly accept: string;
  readonly paste: string;
  readonly pasted: string;
  readonly placeholder: string;
  readonly use: string;
}
const WORDS: Readonly<Record<Side, Words>> = {
  protein: {
    drop: "Drop a FASTA file here, plain or .gz, or",
    accept: ".fasta,.fa,.faa,.fas,.gz,.txt",
    paste: "Or paste FASTA",
    pasted: "Pasted proteins",
    placeholder: ">name\nMKTAYIAKQRQISFVK…",
    use: "Use these proteins",
  },
  text: {
    drop: "Drop a text file here, plain or .gz, or",
    accept: ".txt,.md,.gz",
    paste: "Or paste text",
    pasted: "Pasted text",
    placeholder: "Sentences on lines of their own, a blank line between documents",
    use: "Use this text",
  },
};

export interface DataPanelEvents {
  readonly onSource: (source: Source, vocabulary: number) => void;
  readonly onCancel: () => void;
  /** A file that the browser does not give: a folder, or one that was moved. */
  readonly onProblem: (error: Error) => void;
}

export class DataPanel {
  readonly element: HTMLElement;
  readonly #side: Side;
  readonly #events: DataPanelEvents;
  readonly #summary = h("p", { class: "data-summary", role: "status" });
  readonly #remark = h("p", { class: "remark" });
  readonly #cancel: HTMLButtonElement;
  readonly #controls: readonly (HTMLButtonElement | HTMLInputElement | HTMLTextAreaElement)[];
  readonly #size: HTMLInputElement;

  constructor(side: Side, events: DataPanelEvents) {
    this.#side = side;
    this.#events = events;
    const sample = h(
      "button",
      { type: "button", onclick: () => this.#give({ name: SAMPLES[side].name }) },
      "Use the sample",
    );
    const file = h("input", {
      id: idOf(side, "file"),
      class: "unseen",
      type: "file",
      accept: WORDS[side].accept,
      onchange: () => {
        void this.#take(file.files ?? undefined);
        file.value = "";
      },
    });
    this.#size = h("input", {
      id: idOf(side, "vocabulary"),
      type: "number",
      min: 200,
      max: 30_000,
      step: 1,
      value: 2000,
      required: true,
    });
    this.#cancel = h(
      "button",
      { type: "button", class: "plain", hidden: true, onclick: () => events.onCancel() },
      "Stop reading",
    );
    const drop = h(
      "div",
      { class: "drop" },
      h("p", {}, WORDS[side].drop, " ", h("label", { for: file.id, class: "link" }, "choose one"), file, "."),
      h("p", { class: "choices" }, sample, this.#cancel),
      h("p", { class: "small" }, SAMPLES[side].words),
    );
    for (const [type, over] of [
      ["dragover", true],
      ["dragleave", false],
      ["drop", false],
    ] as const) {
      drop.addEventListener(type, (event) => {
        event.preventDefault();
        drop.classList.toggle("over", over);
        if (type === "drop") void this.#take(event.dataTransfer?.files);
      });
    }
    const pasted = this.#pasteBox();
    this.#controls = [sample, file, this.#size, ...pasted.controls];
    this.element = h(
      "section",
      { "aria-labelledby": idOf(side, "data-title") },
      h("h2", { id: idOf(side, "data-title") }, "Data"),
      drop,
      pasted.element,
      ...(side === "text"
        ? [h("div", { class: "field" }, h("label", { for: this.#size.id }, "Tokens in the vocabulary"), this.#size)]
        : []),
      this.#summary,
      this.#remark,
    );
    this.show(undefined);
  }

  show(data: DataSummary | undefined): void {
    const noun = this.#side === "protein" ? "proteins" : "documents";
    say(
      this.#summary,
      data === undefined
        ? "No data yet."
        : `${data.name}: ${integer(data.train)} ${noun} to train on, ${integer(data.valid)} held out, ` +
            `${count(data.tokens)} ` +
            (this.#side === "protein" ? "residues" : "tokens") +
            `${data.vocabulary === undefined ? "" : `, a vocabulary of ${integer(data.vocabulary)}`}. ` +
            `Unigram floor ${nats(data.unigramEntropy)} nats.`,
    );
    say(this.#remark, data?.remark ?? "");
  }

  busy(reading: boolean, locked: boolean): void {
    for (const control of this.#controls) control.disabled = reading || locked;
    this.#cancel.hidden = !reading;
    if (reading) say(this.#summary, this.#side === "protein" ? "Reading…" : "Reading, and training a vocabulary…");
  }

  #pasteBox(): {
    readonly element: HTMLElement;
    readonly controls: readonly (HTMLButtonElement | HTMLTextAreaElement)[];
  } {
    const { paste, pasted, placeholder, use: useIt } = WORDS[this.#side];
    const box = h("textarea", { id: idOf(this.#side, "paste"), rows: 3, placeholder, spellcheck: "false" });
    const use = h(
      "button",
      {
        type: "button",
        onclick: () => this.#give({ name: pasted, bytes: new TextEncoder().encode(box.value) }),
      },
      useIt,
    );
    return {
      element: h("div", { class: "field" }, h("label", { for: box.id }, paste), box, use),
      controls: [box, use],
    };
  }

  async #take(files: FileList | undefined): Promise<void> {
    const [file, another] = [...(files ?? [])];
    if (another !== undefined)
      return this.#events.onProblem(
        new Error(`Expected one file, got ${files?.length ?? 0}. Join them into one file, and open that.`),
      );
    // Text or a picture of another page was dropped, and no file.
    if (file === undefined)
      return this.#events.onProblem(
        new Error("Expected a file, got something else. Choose a file, or paste its text."),
      );
    try {
      this.#give({ name: file.name, bytes: new Uint8Array(await file.arrayBuffer()) });
    } catch (cause) {
      this.#events.onProblem(
        new Error(
          `${file.name}: expected a file, but the browser cannot read it. Is it a folder, or was it ` +
            "moved or changed, or is it larger than the memory? Choose the file again, or a part of it.",
          { cause },
        ),
      );
    }
  }

  #give(source: Source): void {
    if (this.#side === "protein" || this.#size.reportValidity())
      this.#events.onSource(source, Number(this.#size.value));
  }
}
