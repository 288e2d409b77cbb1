/**
 * Points of a run, each with the value that begins there: `0:64,0.5:128`, or as a map `{ 0: 64, 0.5: 128 }`.
 *
 * A place up to 1 is a share of the run, and above 1 a number of steps; 0 is the beginning in both units. The points of
 * one value are all shares or all steps, because the order of 0.5 and 300 depends on the length of the run. A text
 * lists its points in order. A map has no order; its points are sorted.
 */
import { ConfigError } from "@cloze/errors";

export interface Point<T> {
  readonly at: number;
  readonly value: T;
}

/** One value for the whole run, or points in any of their forms. */
export type Scheduled<T extends number | string> = T | string | { readonly [at: string]: T };

const POINT = /^\s*(\d+(?:\.\d*)?|\.\d+)\s*:(.*)$/;

/** True for a text that names places: for `0:mlm,0.8:nsp`, and not for `mlm` or `./my-objective.js`. */
export const hasPlaces = (text: string): boolean => POINT.test(text);

/**
 * The points of a text. A text without places is one value for the whole run. `read` returns undefined for an invalid
 * value; `expected` describes valid values; `where` begins the messages. Throws ConfigError.
 *
 * @example
 * const points = parsePoints("0:64, 0.5:128", Number, { where: "--window", expected: "a number" });
 * points  // => [{ at: 0, value: 64 }, { at: 0.5, value: 128 }]
 */
export function parsePoints<T>(
  text: string,
  read: (value: string) => T | undefined,
  { where, expected }: { readonly where: string; readonly expected: string },
): readonly Point<T>[] {
  const valueOf = (word: string): T => {
    const value = word.trim() === "" ? undefined : read(word.trim());
    if (value === undefined)
      throw new ConfigError(`${where}: expected ${expected}, got ${JSON.stringify(word.trim())}.`);
    return value;
  };
  if (!hasPlaces(text)) return [{ at: 0, value: valueOf(text) }];
  return checkPoints(
    text.split(",").map((word) => {
      const [, at, value] = POINT.exec(word) ?? [];
      if (at === undefined || value === undefined)
        throw new ConfigError(
          `${where}: expected at:value,at:value, got ${JSON.stringify(word.trim())} among them. At is a share of ` +
            "the run, or above 1 a number of steps.",
        );
      return { at: Number(at), value: valueOf(value) };
    }),
    where,
  );
}

/** The points of a map, in the order of their places. Throws ConfigError. */
export function pointsOfMap<T>(map: { readonly [at: string]: T }, where: string): readonly Point<T>[] {
  const points = Object.entries(map).map(([at, value]) => {
    if (at.trim() === "" || !(Number(at) >= 0 && Number.isFinite(Number(at))))
      throw new ConfigError(
        `${where}: expected places from 0 on, a share of the run or above 1 a number of steps, got ` +
          `${JSON.stringify(at)}.`,
      );
    return { at: Number(at), value };
  });
  if (points.length === 0) throw new ConfigError(`${where}: expected at least one point, got an empty map.`);
  return checkPoints(
    points.sort((a, b) => a.at - b.at),
    where,
  );
}

/** The text form that `parsePoints` reads; the value alone where there is only one point. */
export function showPoints<T extends number | string>(points: readonly Point<T>[]): T | string {
  const [first] = points;
  return first !== undefined && points.length === 1
    ? first.value
    : points.map(({ at, value }) => `${at}:${value}`).join(",");
}

function checkPoints<T>(points: readonly Point<T>[], where: string): readonly Point<T>[] {
  for (const [i, { at }] of points.entries()) {
    const before = points[i - 1]?.at;
    if (before !== undefined && !(at > before))
      throw new ConfigError(
        `${where}: expected places in rising order, got ${at} after ${before}. Put them in order, each once.`,
      );
    if (at > 1 && !Number.isInteger(at))
      throw new ConfigError(`${where}: expected a share of the run up to 1, or a whole number of steps, got ${at}.`);
  }
  const share = points.find(({ at }) => at > 0 && at <= 1);
  const step = points.find(({ at }) => at > 1);
  if (share !== undefined && step !== undefined)
    throw new ConfigError(
      `${where}: expected places that are all shares of the run (up to 1) or all steps (above 1), got ` +
        `${share.at} and ${step.at}. Say them all in one way.`,
    );
  return points;
}
