/**
 * The chart of the loss: each step, the running mean, the validation loss, and the unigram floor. Only a model that
 * uses context gets below the floor.
 */
import type { TrainerRow } from "../run-files.ts";
import { h, say, svg } from "./dom.ts";
import { nats } from "./format.ts";

const HEIGHT = 260;
const LEFT = 44;
const RIGHT = 12;
const TOP = 14;
const BOTTOM = 30;
/** Weight of the newest step in the running mean. */
const NEWEST = 0.1;

export class LossChart {
  readonly element: HTMLElement;
  readonly #svg = svg("svg", { class: "chart", role: "img", height: HEIGHT });
  readonly #summary = h("p", { class: "unseen" });
  readonly #floorKey = key("floor", "unigram floor");
  #rows: readonly TrainerRow[] = [];
  #steps = 0;
  #floor: number | undefined;
  #width = 640;
  #queued = false;

  constructor(id: string) {
    this.#summary.id = `${id}-chart-summary`;
    this.#svg.setAttribute("aria-label", "Loss by step");
    this.#svg.setAttribute("aria-describedby", this.#summary.id);
    this.element = h(
      "figure",
      { class: "chart-figure" },
      this.#svg,
      this.#summary,
      h(
        "figcaption",
        {},
        h(
          "ul",
          { class: "legend" },
          key("mean", "training, running mean"),
          key("raw", "each step"),
          key("held", "held out"),
          this.#floorKey,
        ),
      ),
    );
    new ResizeObserver(([entry]) => {
      const width = Math.round(entry?.contentRect.width ?? 0);
      if (width > 0 && width !== this.#width) {
        this.#width = width;
        this.#queue();
      }
    }).observe(this.element);
    this.#draw();
  }

  show(rows: readonly TrainerRow[], steps: number, floor: number | undefined): void {
    this.#rows = rows;
    this.#steps = steps;
    this.#floor = floor;
    this.#queue();
  }

  #queue(): void {
    if (this.#queued) return;
    this.#queued = true;
    requestAnimationFrame(() => {
      this.#queued = false;
      this.#draw();
    });
  }

  #draw(): void {
    const rows = this.#rows;
    const train = rows.filter(({ type }) => type === "train");
    const held = rows.filter(({ type }) => type === "eval");
    const floor = this.#floor;
    const losses = [...rows.map(({ loss }) => loss), ...(floor === undefined ? [] : [floor])];
    const width = this.#width;
    const [low, high] = losses.length === 0 ? [2, 4] : range(losses);
    const steps = Math.max(1, this.#steps, train.at(-1)?.step ?? 0);
    const x = (step: number): number => LEFT + (step / steps) * (width - LEFT - RIGHT);
    const y = (loss: number): number => TOP + ((high - loss) / (high - low)) * (HEIGHT - TOP - BOTTOM);
    const point = (step: number, loss: number): string => `${x(step).toFixed(1)},${y(loss).toFixed(1)}`;
    const smooth = runningMean(train.map(({ loss }) => loss)).map((mean, i) => point(train[i]?.step ?? 0, mean));
    this.#floorKey.style.visibility = floor === undefined ? "hidden" : "visible";
    this.#svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    this.#svg.replaceChildren(
      ...ticks(low, high, 5).flatMap((value) => [
        svg("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: y(value), y2: y(value) }),
        svg(
          "text",
          { class: "tick", x: LEFT - 8, y: y(value) + 4, "text-anchor": "end" },
          value.toFixed(high - low < 0.5 ? 2 : 1),
        ),
      ]),
      ...ticks(0, steps, width < 480 ? 3 : 6).map((value) =>
        svg(
          "text",
          {
            class: "tick",
            x: x(value),
            y: HEIGHT - 8,
            "text-anchor": value === 0 ? "start" : value === steps ? "end" : "middle",
          },
          value.toLocaleString("en-US"),
        ),
      ),
      ...(floor === undefined
        ? []
        : [
            svg("line", { class: "floor", x1: LEFT, x2: width - RIGHT, y1: y(floor), y2: y(floor) }),
            // At the right, above the line: a curve that gets there is below it.
            svg(
              "text",
              { class: "floor-label", x: width - RIGHT, y: y(floor) - 6, "text-anchor": "end" },
              `unigram floor ${nats(floor)}`,
            ),
          ]),
      svg("polyline", { class: "raw", points: train.map(({ step, loss }) => point(step, loss)).join(" ") }),
      svg("polyline", { class: "mean", points: smooth.join(" ") }),
      ...held.map(({ step, loss }) => svg("circle", { class: "held", cx: x(step), cy: y(loss), r: 4 })),
      ...(rows.length === 0
        ? [
            svg(
              "text",
              { class: "empty", x: width / 2, y: HEIGHT / 2 - 20, "text-anchor": "middle" },
              "The loss will be drawn here, step by step.",
            ),
          ]
        : []),
    );
    const last = train.at(-1);
    const lastHeld = held.at(-1);
    say(
      this.#summary,
      last === undefined
        ? "No steps yet."
        : `After ${last.step} of ${steps} steps the training loss is ${nats(last.loss)} ` +
            `nats${lastHeld ? `, the validation loss ${nats(lastHeld.loss)}` : ""}` +
            `${floor === undefined ? "" : `; the unigram floor is ${nats(floor)}`}.`,
    );
  }
}

const key = (kind: string, label: string): HTMLElement =>
  h("li", {}, h("span", { class: `key ${kind}`, "aria-hidden": "true" }), label);

/** The exponential running mean. Each value is divided by the sum of the weights so far, so the start has no bias. */
function runningMean(losses: readonly number[]): readonly number[] {
  let sum = 0;
  let weight = 0;
  return losses.map((loss) => {
    sum += NEWEST * (loss - sum);
    weight += NEWEST * (1 - weight);
    return sum / weight;
  });
}

function range(losses: readonly number[]): readonly [number, number] {
  const low = Math.min(...losses);
  const high = Math.max(...losses);
  const room = Math.max(0.02, (high - low) * 0.08);
  return [low - room, high + room];
}

/** At most `most` round numbers in a range. */
function ticks(low: number, high: number, most: number): readonly number[] {
  const rough = (high - low) / most;
  const size = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5, 10].find((times) => times * size >= rough) ?? 10) * size;
  const found: number[] = [];
  for (let value = Math.ceil(low / step) * step; value <= high + 1e-9; value += step)
    found.push(Number(value.toFixed(6)));
  return found;
}
