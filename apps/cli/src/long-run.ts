/** The line about a run that will take more than a day: how long, and what would make it shorter. */
import { formatDuration } from "@cloze/trainer";

const DAY_SECONDS = 86_400;
/** Steps after which the time of a step is known well enough. */
const SETTLED_STEPS = 5;

export interface LongRun {
  /** What shortens this kind of run, besides a faster device. */
  readonly helps: readonly string[];
  /** Whether the run is on a CPU. */
  readonly onCpu: boolean;
}

/** A function of the steps done here and the seconds that remain, which returns the line once. */
export function longRunLine({ helps, onCpu }: LongRun): (steps: number, remaining: number) => string | undefined {
  let said = false;
  return (steps, remaining) => {
    if (said || steps < SETTLED_STEPS || remaining <= DAY_SECONDS) return undefined;
    said = true;
    const faster = onCpu ? ["a GPU (cloze doctor says what this machine has)"] : [];
    return (
      `at this speed the run takes ${formatDuration(remaining)} more, above a day. What helps: ` +
      `${[...faster, ...helps].join("; ")}`
    );
  };
}

/** Whether a backend's place, as the log names it, is a CPU: the machine's own, or one that acts as a GPU. */
export const isCpu = (place: string): boolean => /\bCPU\b|llvmpipe|lavapipe|swiftshader/i.test(place);
