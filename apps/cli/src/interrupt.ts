/**
 * Handler of Ctrl-C and SIGTERM. The first signal asks a run to stop and save; the second ends the process at once and
 * says what is lost.
 */
import type { TrainEvent } from "@cloze/trainer";
import { counted } from "./output.ts";

export interface Interrupt {
  readonly signal: AbortSignal;
  /** Exit code for the first signal: 130 for SIGINT, 143 for SIGTERM; 0 before any signal. */
  readonly exitCode: () => number;
  stop(): void;
}

/**
 * Listens until the caller calls `stop`, when the run is over. `note` gets a line for the user at each signal, and
 * `lost` says what the second signal costs.
 */
export function onInterrupt(note: (line: string) => void, lost: () => string): Interrupt {
  const controller = new AbortController();
  const codes = { SIGINT: 130, SIGTERM: 143 } as const;
  let code = 0;
  const handlers = (Object.keys(codes) as (keyof typeof codes)[]).map((name) => {
    const handler = (): void => {
      if (code !== 0) {
        note(`Ended at once${lost()}`);
        process.exit(codes[name]);
      }
      code = codes[name];
      note("Stopping after the steps under way; press Ctrl-C again to end at once.");
      controller.abort();
    };
    process.on(name, handler);
    return [name, handler] as const;
  });
  return {
    signal: controller.signal,
    exitCode: () => code,
    stop: () => handlers.forEach(([name, handler]) => process.off(name, handler)),
  };
}

/** The steps of a run that no checkpoint holds yet. */
export class UnsavedSteps {
  #resume: string | undefined;
  #step = 0;
  #saved: number | undefined;
  #saving: number | undefined;

  /** `resume`: the command that goes on with the run. `saved`: the step of the checkpoint from which it starts. */
  begin(resume: string, saved: number | undefined): void {
    [this.#resume, this.#step, this.#saved, this.#saving] = [resume, saved ?? 0, saved, undefined];
  }

  follow(event: TrainEvent): void {
    if (event.kind === "row") this.#step = event.row.step;
    else if (event.kind === "saving") this.#saving = event.step;
    else if (event.kind === "saved") [this.#saved, this.#saving] = [event.step, undefined];
  }

  /** What an end at this moment costs, as the rest of a sentence. */
  inWords(): string {
    if (this.#resume === undefined) return ": training had not begun, so nothing is lost.";
    const saving = this.#saving === undefined ? "" : `, while the checkpoint of step ${this.#saving} was being saved`;
    const then = `Go on with: ${this.#resume}`;
    if (this.#saved === undefined)
      return this.#step === 0
        ? `${saving}: there was no step yet, so nothing is lost. ${then}`
        : `${saving}: there is no whole checkpoint yet, so ${lostSteps(this.#step)}. ${then}`;
    const since = this.#step - this.#saved;
    return since === 0
      ? `${saving}: nothing is lost, the checkpoint of step ${this.#saved} is whole. ${then}`
      : `${saving}: the last whole checkpoint is that of step ${this.#saved}, and since then ` +
          `${lostSteps(since)}. ${then}`;
  }
}

const lostSteps = (count: number): string => `${counted(count, "step")} ${count === 1 ? "is" : "are"} lost`;
