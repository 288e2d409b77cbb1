/**
 * The view of one protein by the model: predictions for masked residues, attention and contact maps during the
 * training, and the score of every substitution.
 */
import type { Example, Maps, Requests, RequestName, RunState, Substitutions } from "../protocol.ts";
import type { AskOptions } from "../worker-client.ts";
import { bars } from "./distribution.ts";
import { h, say } from "./dom.ts";
import { GridCanvas } from "./grid-canvas.ts";
import type { Notice } from "./notice.ts";

export type Ask = <N extends RequestName>(
  name: N,
  ask: Requests[N]["ask"],
  options?: AskOptions,
) => Promise<Requests[N]["answer"]>;

/** Shortest time between two updates of the maps during the training, and the share of the time that they may take. */
const LOOK_EVERY_MS = 1500;
const LOOK_SHARE = 0.1;
/** Log-odds with the full colour of the heat map. */
const FULL_SCORE = 4;
const BARS = 8;

export class ProteinView {
  readonly element: HTMLElement;
  readonly #ask: Ask;
  readonly #notice: Notice;
  readonly #choose: HTMLSelectElement;
  readonly #label = h("label", { for: "protein-choose" }, "Protein");
  readonly #residues = h("div", {
    class: "residues",
    role: "group",
    "aria-label": "Residues. Press one to mask it; arrow keys go from one to the next.",
  });
  readonly #distribution = h("div", { class: "distribution", "aria-live": "polite" });
  readonly #layer = h("select", { id: "map-layer", onchange: () => void this.#look() });
  readonly #head = h("select", { id: "map-head", onchange: () => void this.#look() });
  readonly #attention = new GridCanvas("Attention of one residue, down, to the others, across", "Point at a cell.");
  readonly #contacts = new GridCanvas("Contact map from attention", "Point at a cell.");
  readonly #heat = new GridCanvas(
    "Score of each substitution, letters down, places across",
    "Above 0 the model likes the letter better than what stands there.",
  );
  readonly #score: HTMLButtonElement;
  readonly #scoring = h("progress", { max: 1, value: 0, "aria-label": "Scoring substitutions", hidden: true });
  #examples: readonly Example[] = [];
  #sequence = "";
  #masked: number | undefined;
  readonly #about = h("p", { class: "about small", role: "status" });
  #shown: RunState["shown"] = "none";
  #wait = "One moment…";
  #looking = false;
  #nextLookAt = -Infinity;
  #abort: AbortController | undefined;

  constructor(ask: Ask, notice: Notice) {
    this.#ask = ask;
    this.#notice = notice;
    this.#choose = h("select", { id: "protein-choose", onchange: () => this.#pick(this.#choose.selectedIndex) });
    this.#score = h("button", { type: "button", onclick: () => void this.#substitute() }, "Score every substitution");
    this.element = h(
      "section",
      { "aria-labelledby": "look-title" },
      h("h2", { id: "look-title" }, "Look inside"),
      this.#about,
      h("div", { class: "field" }, this.#label, this.#choose),
      h("h3", {}, "Mask a residue"),
      h("div", { class: "two mask" }, this.#residues, this.#distribution),
      h("h3", {}, "Attention and contacts"),
      h(
        "div",
        { class: "map-choices" },
        h("div", { class: "field" }, h("label", { for: "map-layer" }, "Layer"), this.#layer),
        h("div", { class: "field" }, h("label", { for: "map-head" }, "Head"), this.#head),
      ),
      h(
        "div",
        { class: "two maps" },
        h(
          "figure",
          {},
          this.#attention.element,
          h("figcaption", {}, "Attention of this head: who looks (down) at whom (across).", this.#attention.readout),
        ),
        h(
          "figure",
          {},
          this.#contacts.element,
          h(
            "figcaption",
            {},
            "Contacts as attention has them: the mean of all heads, symmetric, less its average product. No " +
              "structure was seen.",
            this.#contacts.readout,
          ),
        ),
      ),
      h("h3", {}, "Every substitution"),
      h("p", { class: "choices" }, this.#score, this.#scoring),
      h(
        "figure",
        { class: "heat" },
        h(
          "div",
          { class: "heat-scroll" },
          h(
            "div",
            { class: "heat-letters", "aria-hidden": "true" },
            ...Array.from("ACDEFGHIKLMNPQRSTVWY", (letter) => h("span", {}, letter)),
          ),
          this.#heat.element,
        ),
        h("figcaption", {}, this.#heat.readout),
      ),
    );
    this.#residues.addEventListener("keydown", (event) => this.#walk(event));
    this.show([], false);
    this.ready("none", this.#wait);
  }

  /** Says which model the view shows. */
  about(text: string): void {
    say(this.#about, text);
  }

  show(examples: readonly Example[], heldOut: boolean): void {
    this.#examples = examples;
    say(this.#label, heldOut ? "Protein (held out from training)" : "Protein");
    this.#choose.replaceChildren(
      ...(examples.length === 0
        ? [h("option", {}, "One moment…")]
        : examples.map(({ name, sequence }) => h("option", {}, `${name.slice(0, 60)} (${sequence.length})`))),
    );
    this.#choose.disabled = examples.length === 0;
    this.#pick(0);
  }

  /** Tells the view which model there is. `wait`: the text while there is none. */
  ready(shown: RunState["shown"], wait: string): void {
    const changed = shown !== this.#shown;
    this.#shown = shown;
    this.#wait = wait;
    this.#score.disabled = !this.#ready || this.#sequence === "";
    for (const button of this.#residues.querySelectorAll("button"))
      button.setAttribute("aria-disabled", String(!this.#ready));
    if (!this.#ready) this.#abort?.abort();
    if (changed || !this.#ready) this.#clear();
    if (changed && this.#ready) void this.#look();
  }

  get #ready(): boolean {
    return this.#shown !== "none";
  }

  /** Called at every step. It updates the maps only where the view is visible, and not too often. */
  trained(): void {
    if (performance.now() >= this.#nextLookAt && this.element.getBoundingClientRect().top < innerHeight)
      void this.#look();
  }

  #pick(index: number): void {
    this.#sequence = this.#examples[index]?.sequence ?? "";
    this.#masked = undefined;
    this.#residues.replaceChildren(
      ...(this.#sequence === ""
        ? [h("p", { class: "small" }, "The residues of a protein are shown here.")]
        : this.#tens(this.#sequence)),
    );
    this.#clear();
    this.ready(this.#shown, this.#wait);
    if (this.#ready) void this.#look();
  }

  /** The residues as buttons, in groups of ten, as sequence databases print them. */
  #tens(sequence: string): readonly HTMLElement[] {
    const buttons = Array.from(sequence, (letter, at) =>
      h(
        "button",
        {
          type: "button",
          tabindex: at === 0 ? 0 : -1,
          "aria-label": `${letter}, residue ${at + 1}`,
          "aria-pressed": "false",
          onclick: () => void this.#mask(at),
        },
        letter,
      ),
    );
    return Array.from({ length: Math.ceil(buttons.length / 10) }, (_, group) =>
      h("span", { class: "ten" }, ...buttons.slice(group * 10, group * 10 + 10)),
    );
  }

  #clear(): void {
    this.#distribution.replaceChildren(
      h(
        "p",
        { class: "small" },
        this.#ready ? "Press a residue: it is masked, and the model says what it expects there." : this.#wait,
      ),
    );
    for (const grid of [this.#attention, this.#contacts, this.#heat]) grid.show(undefined);
  }

  #walk(event: KeyboardEvent): void {
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 10, ArrowUp: -10 }[event.key];
    const buttons = [...this.#residues.querySelectorAll("button")];
    const from = buttons.findIndex((button) => button === document.activeElement);
    const target =
      event.key === "Home" ? 0 : event.key === "End" ? buttons.length - 1 : step === undefined ? -1 : from + step;
    if (from < 0 || buttons[target] === undefined) return;
    event.preventDefault();
    this.#focusable(buttons, target);
    buttons[target].focus();
  }

  #focusable(buttons: readonly HTMLButtonElement[], at: number): void {
    for (const [i, button] of buttons.entries()) button.tabIndex = i === at ? 0 : -1;
  }

  async #mask(at: number): Promise<void> {
    if (!this.#ready) return;
    const sequence = this.#sequence;
    const buttons = [...this.#residues.querySelectorAll("button")];
    this.#masked = at;
    this.#focusable(buttons, at);
    for (const [i, button] of buttons.entries()) button.setAttribute("aria-pressed", String(i === at));
    await this.#notice.during(async () => {
      const { candidates, truth } = await this.#ask("mask", { sequence, at });
      if (this.#masked !== at || this.#sequence !== sequence) return;
      this.#distribution.replaceChildren(
        h("p", {}, `Residue ${at + 1}, masked. The truth is `, h("strong", {}, truth), "."),
        bars(candidates, BARS, truth),
      );
    });
  }

  async #look(): Promise<void> {
    if (!this.#ready || this.#looking || this.#sequence === "") return;
    this.#looking = true;
    const began = performance.now();
    try {
      const sequence = this.#sequence;
      const maps = await this.#ask("maps", {
        sequence,
        layer: Math.max(0, this.#layer.selectedIndex),
        head: Math.max(0, this.#head.selectedIndex),
      });
      if (this.#ready && sequence === this.#sequence) this.#draw(maps, sequence);
    } catch (error) {
      if (this.#ready) this.#notice.show(error);
    } finally {
      this.#looking = false;
      const ended = performance.now();
      this.#nextLookAt = ended + Math.max(LOOK_EVERY_MS, (ended - began) / LOOK_SHARE);
    }
  }

  #draw({ length, layers, heads, attention, contacts }: Maps, sequence: string): void {
    options(this.#layer, layers);
    options(this.#head, heads);
    const place = (at: number): string => `${sequence[at] ?? ""}${at + 1}`;
    const largest = attention.reduce((a, b) => Math.max(a, b), 1e-9);
    const sorted = contacts.toSorted();
    const bright = Math.max(1e-9, sorted[Math.floor(sorted.length * 0.99)] as number);
    this.#attention.show({
      rows: length,
      columns: length,
      values: attention,
      scale: (value) => Math.sqrt(value / largest),
      words: (i, j, value) => `${place(i)} looks at ${place(j)}: ${value.toFixed(4)}`,
    });
    this.#contacts.show({
      rows: length,
      columns: length,
      values: contacts,
      scale: (value) => Math.max(0, value / bright),
      words: (i, j, value) => `${place(i)} and ${place(j)}: ${value.toFixed(4)}`,
    });
  }

  async #substitute(): Promise<void> {
    if (this.#abort !== undefined) return this.#abort.abort();
    const controller = new AbortController();
    const sequence = this.#sequence;
    this.#abort = controller;
    say(this.#score, "Stop scoring");
    this.#scoring.value = 0;
    this.#scoring.hidden = false;
    try {
      const found = await this.#ask(
        "substitutions",
        { sequence },
        {
          signal: controller.signal,
          onProgress: (share) => {
            this.#scoring.value = share;
          },
        },
      );
      if (sequence === this.#sequence) this.#drawScores(found);
    } catch (error) {
      if (!controller.signal.aborted) this.#notice.show(error);
    } finally {
      this.#abort = undefined;
      this.#scoring.hidden = true;
      say(this.#score, "Score every substitution");
    }
  }

  #drawScores({ letters, sequence, scores }: Substitutions): void {
    this.#heat.element.style.setProperty("--columns", String(sequence.length));
    this.#heat.show({
      rows: letters.length,
      columns: sequence.length,
      values: scores,
      scale: (score) => score / FULL_SCORE,
      words: (row, at, score) =>
        letters[row] === sequence[at]
          ? `${sequence[at]}${at + 1} itself: 0`
          : `${sequence[at]}${at + 1}${letters[row]}: ${score > 0 ? "+" : ""}${score.toFixed(2)}`,
    });
  }
}

function options(select: HTMLSelectElement, count: number): void {
  if (select.options.length !== count)
    select.replaceChildren(...Array.from({ length: count }, (_, i) => h("option", {}, String(i + 1))));
}
