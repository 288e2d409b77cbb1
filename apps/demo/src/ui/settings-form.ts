/** The form for the settings of a run, with an estimate of memory and time. */
import {
  OBJECTIVES,
  OPTIMIZERS,
  SIZES,
  STARTS,
  type BundledModel,
  type Estimate,
  type ObjectiveChoice,
  type OptimizerChoice,
  type Settings,
  type Side,
  type Size,
  type Start,
} from "../protocol.ts";
import { h, idOf, say, set } from "./dom.ts";
import { bytes, count, duration } from "./format.ts";

const SIZE_WORDS: Readonly<Record<Side, Readonly<Record<Size, string>>>> = {
  protein: { tiny: "Tiny: 2 layers of 64", small: "Small: 4 layers of 128", medium: "ESM-2 8M: 6 layers of 320" },
  text: {
    tiny: "BERT tiny: 2 layers of 128",
    small: "BERT mini: 4 layers of 256",
    medium: "BERT small: 4 layers of 512",
  },
};
const OBJECTIVE_WORDS: Readonly<Record<ObjectiveChoice, string>> = {
  mlm: "Masked tokens, 15 %",
  "mlm-30": "Masked tokens, 30 %",
  "mlm+nsp": "Masked tokens and next sentence",
};
const OPTIMIZER_WORDS: Readonly<Record<OptimizerChoice, string>> = {
  adamw: "AdamW",
  muon: "Muon",
  "stable-adamw": "StableAdamW",
  lamb: "LAMB",
};
const START_WORDS: Readonly<Record<Start, string>> = { new: "New weights", bundled: "The bundled model" };
const RATES: Readonly<Record<Size, number>> = { tiny: 3e-3, small: 1e-3, medium: 4e-4 };
const MUON_RATE = 0.02;

interface NumberField {
  readonly name: "steps" | "lr" | "length" | "rows" | "seed";
  readonly label: string;
  readonly value: number;
  readonly min: number;
  readonly max: number;
  /** Step of the field's arrows. */
  readonly step: number | "any";
}

const NUMBERS: readonly NumberField[] = [
  { name: "steps", label: "Steps", value: 300, min: 1, max: 1_000_000, step: 1 },
  { name: "lr", label: "Peak learning rate", value: RATES.tiny, min: 1e-6, max: 1, step: "any" },
];
const MORE: readonly NumberField[] = [
  { name: "length", label: "Tokens in a row", value: 128, min: 16, max: 510, step: 1 },
  { name: "rows", label: "Rows in a step", value: 16, min: 1, max: 512, step: 1 },
  { name: "seed", label: "Seed", value: 0, min: 0, max: 2 ** 31 - 1, step: 1 },
];

export class SettingsForm {
  readonly element: HTMLFormElement;
  readonly #side: Side;
  readonly #estimate = h("p", { class: "estimate", role: "status" });
  readonly #fields = new Map<string, HTMLInputElement | HTMLSelectElement>();
  #rateTouched = false;
  #locked = false;
  #bundled: BundledModel | undefined;

  constructor(side: Side, onChange: () => void) {
    this.#side = side;
    const objectives = OBJECTIVES.filter((name) => side === "text" || name !== "mlm+nsp");
    this.element = h(
      "form",
      {
        class: "fields",
        onsubmit: (event) => event.preventDefault(),
        oninput: (event) => {
          this.#changed(event.target);
          onChange();
        },
      },
      this.#choice(
        "start",
        "Start from",
        STARTS.map((name) => [name, START_WORDS[name]]),
      ),
      this.#choice(
        "size",
        "Model",
        SIZES.map((name) => [name, SIZE_WORDS[side][name]]),
      ),
      this.#choice(
        "objective",
        "Objective",
        objectives.map((name) => [name, OBJECTIVE_WORDS[name]]),
      ),
      this.#choice(
        "optimizer",
        "Optimizer",
        OPTIMIZERS.map((name) => [name, OPTIMIZER_WORDS[name]]),
      ),
      h("div", { class: "pair" }, ...NUMBERS.map((field) => this.#number(field))),
      h(
        "details",
        {},
        h("summary", {}, "More"),
        h("div", { class: "pair" }, ...MORE.map((field) => this.#number(field))),
      ),
      this.#estimate,
    );
    this.showEstimate(undefined);
    this.lock(false);
  }

  /** Offers the bundled model as a start. Its size is then the size of the run. */
  offer(bundled: BundledModel): void {
    this.#bundled = bundled;
    this.lock(this.#locked);
  }

  /** The settings, or undefined where a field does not hold a number of its range. */
  get value(): Settings | undefined {
    if (!this.element.checkValidity()) return undefined;
    const text = (name: string): string => this.#fields.get(name)?.value ?? "";
    const number = (name: string): number => Number(text(name));
    return {
      side: this.#side,
      size: text("size") as Size,
      objective: text("objective") as ObjectiveChoice,
      optimizer: text("optimizer") as OptimizerChoice,
      lr: number("lr"),
      steps: number("steps"),
      length: number("length"),
      rows: number("rows"),
      seed: number("seed"),
      start: text("start") as Start,
    };
  }

  show(settings: Settings): void {
    const all = { start: "new", ...settings };
    for (const [name, field] of this.#fields) field.value = String(all[name as keyof Settings]);
    this.#rateTouched = true;
    this.lock(this.#locked);
  }

  lock(locked: boolean): void {
    this.#locked = locked;
    for (const field of this.#fields.values()) field.disabled = locked;
    const [start, size] = [this.#fields.get("start"), this.#fields.get("size")];
    if (start === undefined || size === undefined) return;
    start.disabled = locked || this.#bundled === undefined;
    if (start.value !== "bundled") return;
    size.disabled = true;
    if (this.#bundled !== undefined) size.value = this.#bundled.settings.size;
  }

  showEstimate(estimate: Estimate | "measuring" | undefined): void {
    const known = typeof estimate === "object" ? estimate : undefined;
    set(this.#estimate, { "data-seconds": known?.seconds.toFixed(3) });
    say(
      this.#estimate,
      estimate === undefined
        ? "What it will take is shown once there is data."
        : estimate === "measuring"
          ? "What will it take? A few steps are timed…"
          : `${count(estimate.parameters)} parameters; up to ${bytes(estimate.memoryBytes)} of memory; ` +
            `${estimate.seconds < 1 ? "" : "about "}${duration(estimate.seconds)}.`,
    );
  }

  /** Sets the learning rate for the size and the optimizer, until the user changes the rate. */
  #changed(target: EventTarget | null): void {
    const rate = this.#fields.get("lr");
    const size = this.#fields.get("size")?.value as Size;
    this.lock(this.#locked);
    if (target === rate) this.#rateTouched = true;
    else if (rate !== undefined && !this.#rateTouched)
      rate.value = String(this.#fields.get("optimizer")?.value === "muon" ? MUON_RATE : RATES[size]);
  }

  #choice(name: string, label: string, choices: readonly (readonly [value: string, words: string])[]): HTMLElement {
    const id = idOf(this.#side, name);
    const field = h("select", { id, name }, ...choices.map(([value, words]) => h("option", { value }, words)));
    this.#fields.set(name, field);
    return h("div", { class: "field" }, h("label", { for: id }, label), field);
  }

  #number({ name, label, value, min, max, step }: NumberField): HTMLElement {
    const id = idOf(this.#side, name);
    const field = h("input", { id, name, type: "number", inputmode: "decimal", value, min, max, step, required: true });
    this.#fields.set(name, field);
    return h("div", { class: "field" }, h("label", { for: id }, label), field);
  }
}
