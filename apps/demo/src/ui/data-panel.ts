/** The panel for a run's data: the sample, a chosen or dropped file, or pasted text. */
import type { DataSummary, Side, Source } from "../protocol.ts";
import { h, idOf, say } from "./dom.ts";
import { count, integer, nats } from "./format.ts";

const SAMPLES: Readonly<Record<Side, { readonly name: string; readonly words: string }>> = {
  protein: { name: "UniProt sample", words: "5,500 proteins (UniProt Consortium, CC BY 4.0)" },
  text: { name: "Austen sample", words: "160 kB of Pride and Prejudice, Jane Austen (public domain)" },
};
const WORDS: Readonly<Record<Side, { readonly drop: string; readonly accept: string }>> = {
  protein: { drop: "Drop a FASTA file here, plain or .gz, or", accept: ".fasta,.fa,.faa,.fas,.gz,.txt" },
  text: { drop: "Drop a text file here, plain or .gz, or", accept: ".txt,.md,.gz" },
};

export interface DataPanelEvents {
  readonly onSource: (source: Source, vocabulary: number) => void;
  readonly onCancel: () => void;
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
        void this.#take(file.files?.[0]);
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
        if (type === "drop") void this.#take(event.dataTransfer?.files[0]);
      });
    }
    const pasted = this.#pasteBox();
    this.#controls = [sample, file, this.#size, ...pasted.controls];
    this.element = h(
      "section",
      { "aria-labelledby": idOf(side, "data-title") },
      h("h2", { id: idOf(side, "data-title") }, "Data"),
      drop,
      ...(side === "text"
        ? [
            pasted.element,
            h("div", { class: "field" }, h("label", { for: this.#size.id }, "Tokens in the vocabulary"), this.#size),
          ]
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
    const box = h("textarea", {
      id: idOf(this.#side, "paste"),
      rows: 4,
      placeholder: "Sentences on lines of their own, a blank line between documents",
    });
    const use = h(
      "button",
      {
        type: "button",
        onclick: () => this.#give({ name: "Pasted text", bytes: new TextEncoder().encode(box.value) }),
      },
      "Use this text",
    );
    return {
      element: h("div", { class: "field" }, h("label", { for: box.id }, "Or paste text"), box, use),
      controls: [box, use],
    };
  }

  async #take(file: File | undefined): Promise<void> {
    if (file !== undefined) this.#give({ name: file.name, bytes: new Uint8Array(await file.arrayBuffer()) });
  }

  #give(source: Source): void {
    if (this.#side === "protein" || this.#size.reportValidity())
      this.#events.onSource(source, Number(this.#size.value));
  }
}
