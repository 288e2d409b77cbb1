/** The panel of the run: its phase, progress and loss, and the button that starts, pauses and resumes it. */
import type { BundledModel, RunState, Side } from "../protocol.ts";
import type { TrainerRow } from "../run-files.ts";
import { h, idOf, say } from "./dom.ts";
import { count, duration, integer, nats } from "./format.ts";
import { LossChart } from "./loss-chart.ts";

export interface TrainingEvents {
  /** Called for the main button, in any phase. */
  readonly onMain: () => void;
  readonly onClose: () => void;
}

const STATS = ["Step", "Loss", "Held out", "Tokens/s", "Step time", "Left"] as const;
/** Number of the last steps whose mean gives the time of a step. */
const RECENT = 20;

export class TrainingPanel {
  readonly element: HTMLElement;
  readonly #chart: LossChart;
  readonly #main: HTMLButtonElement;
  readonly #close: HTMLButtonElement;
  readonly #phase = h("p", { class: "phase", role: "status" });
  readonly #stats = new Map<string, HTMLElement>();
  #rows: TrainerRow[] = [];
  #state: RunState | undefined;
  #floor: number | undefined;
  #bundled: BundledModel | undefined;

  constructor(side: Side, { onMain, onClose }: TrainingEvents) {
    this.#chart = new LossChart(side);
    this.#main = h("button", { type: "button", class: "main", onclick: onMain }, "Train");
    this.#close = h("button", { type: "button", onclick: onClose }, "Start over");
    const stats = STATS.map((name) => {
      const value = h("dd", {}, "–");
      this.#stats.set(name, value);
      return h("div", {}, h("dt", {}, name), value);
    });
    this.element = h(
      "section",
      { class: "training", "aria-labelledby": idOf(side, "training-title") },
      h(
        "div",
        { class: "title-row" },
        h("h2", { id: idOf(side, "training-title") }, "Training"),
        h("div", { class: "choices" }, this.#main, this.#close),
      ),
      this.#phase,
      h("dl", { class: "stats" }, ...stats),
      this.#chart.element,
    );
    this.show(undefined, false, undefined);
  }

  get rows(): readonly TrainerRow[] {
    return this.#rows;
  }

  reset(rows: readonly TrainerRow[], floor: number | undefined): void {
    this.#rows = [...rows];
    this.#floor = floor;
    this.#numbers();
  }

  /** Sets the unigram floor of the chart. */
  floor(floor: number | undefined): void {
    this.#floor = floor;
    this.#numbers();
  }

  add(row: TrainerRow): void {
    this.#rows.push(row);
    this.#numbers();
  }

  show(state: RunState | undefined, hasData: boolean, bundled: BundledModel | undefined): void {
    this.#state = state;
    this.#bundled = bundled;
    const phase = state?.phase ?? "idle";
    const labels = {
      idle: "Train",
      preparing: "Stop",
      training: "Pause",
      paused: "Resume",
      finished: "Train anew",
      failed: "Train anew",
    } as const;
    say(this.#main, labels[phase]);
    this.#main.disabled =
      phase === "idle" || phase === "finished" || phase === "failed"
        ? !hasData
        : phase === "paused" && state?.canTrain !== true;
    this.#close.disabled = phase === "idle" || phase === "preparing";
    say(
      this.#phase,
      {
        idle:
          (hasData ? "Ready." : "Choose data, then train.") +
          (bundled === undefined ? "" : " Until then: how the bundled model was trained."),
        preparing: `${state?.doing ?? "Preparing"}…`,
        training: state?.doing ? `${state.doing}…` : "Training.",
        paused:
          state?.canTrain === true
            ? "Paused."
            : "Loaded without its data: to look at. To train on, open the data, then the run again.",
        finished: `Finished after ${integer(state?.step ?? 0)} steps.`,
        failed: "Stopped by an error.",
      }[phase],
    );
    this.#numbers();
  }

  #numbers(): void {
    const state = this.#state;
    const train = this.#rows.filter(({ type }) => type === "train");
    const last = train.at(-1);
    const recent = train.slice(-RECENT);
    const isIdle = (state?.phase ?? "idle") === "idle";
    const steps = isIdle && train.length > 0 ? (this.#bundled?.settings.steps ?? 0) : (state?.steps ?? 0);
    const step = last?.step ?? state?.step ?? 0;
    const stepMs =
      recent.length === 0 ? 0 : recent.reduce((sum, { time }) => sum + (time.stepMs ?? 0), 0) / recent.length;
    const held = this.#rows.findLast(({ type }) => type === "eval");
    const values: Readonly<Record<(typeof STATS)[number], string>> = {
      Step: steps === 0 ? "–" : `${integer(step)} of ${integer(steps)}`,
      Loss: nats(last?.loss),
      "Held out": nats(held?.loss),
      "Tokens/s": last?.time.tokensPerSecond === undefined ? "–" : count(last.time.tokensPerSecond),
      "Step time": stepMs === 0 ? "–" : `${stepMs < 10 ? stepMs.toFixed(1) : Math.round(stepMs)} ms`,
      Left: state?.secondsLeft === undefined || step >= steps ? "–" : duration(state.secondsLeft),
    };
    for (const [name, value] of Object.entries(values)) say(this.#stats.get(name) as HTMLElement, value);
    // The floor is for the loss of tokens alone. With two objectives the loss is their sum.
    this.#chart.show(this.#rows, steps, state?.settings?.objective === "mlm+nsp" ? undefined : this.#floor);
  }
}
