/**
 * A value over a run: a pure function of the progress, so a resumed run has the same values as an uninterrupted run.
 *
 *   linear   moves in a straight line from each point to the next:   v_i + (v_(i+1) - v_i) (x - x_i) / (x_(i+1) - x_i)
 *   held     stays at each point's value until the next point, for a value that cannot move in small steps:
 *            a shape, a window, an objective
 *
 * Before its first point a value is the first point's value; after its last point, the last point's value.
 */
import { ConfigError } from "@cloze/errors";
import { parsePoints, pointsOfMap, type Point, type Scheduled } from "./points.ts";

/** The progress of a run at the start of a step. */
export interface Progress {
  /** Number of steps before this step: 0 at the first step. */
  readonly step: number;
  /** Finished share of the run, from 0 to 1, of its steps, tokens or seconds. NaN: unknown. */
  readonly share: number;
}

/** Progress with only the step known. A value with points in shares refuses it. */
export const atStep = (step: number): Progress => ({ step, share: NaN });

export interface ValueSchedule<T extends number | string> {
  at(progress: Progress): T;
  /** The values of the points, in order. Every value lies between the smallest and the largest of them. */
  readonly points: readonly Point<T>[];
}

/**
 * A number that moves in straight lines. `check` is true for an allowed number; `expected` describes allowed numbers.
 *
 * @example
 * const rate = linearSchedule("0:0.3,1:0.1", { where: "rate" });
 * [0, 0.5, 1].map((share) => rate.at({ step: 0, share }))  // => [0.3, 0.2, 0.1]
 */
export function linearSchedule(
  spec: Scheduled<number>,
  { where, check = Number.isFinite, expected = "a number" }: NumberRequest,
): ValueSchedule<number> {
  const points = checked(numberPoints(spec, where, expected), check, where, expected);
  return {
    points,
    at(progress) {
      const x = place(points, progress, where);
      const next = points.findIndex(({ at }) => at > x);
      const to = points[next];
      const from = points[next < 0 ? points.length - 1 : next - 1];
      if (from === undefined) return (to as Point<number>).value;
      return to === undefined ? from.value : from.value + ((to.value - from.value) * (x - from.at)) / (to.at - from.at);
    },
  };
}

export interface NumberRequest {
  /** The start of messages: an option, or the name of the user of the value. */
  readonly where: string;
  readonly check?: (value: number) => boolean;
  readonly expected?: string;
}

/** A number that stays the same from each point to the next. */
export function heldSchedule(spec: Scheduled<number>, request: NumberRequest): ValueSchedule<number>;
/** A text that stays the same from each point to the next, with points already read. */
export function heldSchedule<T extends number | string>(
  points: readonly Point<T>[],
  request: { readonly where: string },
): ValueSchedule<T>;
export function heldSchedule(
  spec: Scheduled<number> | readonly Point<number | string>[],
  { where, check = Number.isFinite, expected = "a number" }: NumberRequest,
): ValueSchedule<number | string> {
  const points = isPoints(spec) ? spec : checked(numberPoints(spec, where, expected), check, where, expected);
  return {
    points,
    at(progress) {
      const x = place(points, progress, where);
      return ((points.findLast(({ at }) => at <= x) ?? points[0]) as Point<number | string>).value;
    },
  };
}

const isPoints = (spec: unknown): spec is readonly Point<number | string>[] => Array.isArray(spec);

function numberPoints(spec: Scheduled<number>, where: string, expected: string): readonly Point<number>[] {
  if (typeof spec === "number") return [{ at: 0, value: spec }];
  if (typeof spec === "string")
    return parsePoints(spec, (text) => (Number.isNaN(Number(text)) ? undefined : Number(text)), { where, expected });
  if (typeof spec === "object" && spec !== null && !Array.isArray(spec)) return pointsOfMap(spec, where);
  throw new ConfigError(`${where}: expected ${expected}, or at:value,at:value, got ${JSON.stringify(spec)}.`);
}

function checked(
  points: readonly Point<number>[],
  check: (value: number) => boolean,
  where: string,
  expected: string,
): readonly Point<number>[] {
  const wrong = points.find(({ value }) => typeof value !== "number" || !check(value));
  if (wrong !== undefined)
    throw new ConfigError(
      `${where}: expected ${expected}, got ` +
        `${JSON.stringify(wrong.value)}${points.length > 1 ? ` at ${wrong.at}` : ""}.`,
    );
  return points;
}

/** The place of a run in the unit of the points: steps, or the share. */
function place(points: readonly Point<unknown>[], { step, share }: Progress, where: string): number {
  const last = points.at(-1)?.at ?? 0;
  if (last > 1 || last === 0) return step;
  if (Number.isNaN(share))
    throw new ConfigError(
      `${where}: expected progress that says what share of the run is done, for its points are shares of it, got ` +
        `step ${step} alone. Give its points in steps, or tell how long the run is.`,
    );
  return share;
}
