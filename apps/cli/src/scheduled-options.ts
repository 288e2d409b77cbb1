/**
 * Options whose value may change over the run: `--window 0:64,0.5:128`. A config file may also hold a map:
 *
 *   window: { 0: 64, 0.5: 128 }
 *
 * A place up to 1 is a share of the run; a place above 1 is a number of steps. A value without places holds for the
 * whole run.
 */
import { ConfigError } from "@cloze/errors";
import { parsePoints, pointsOfMap, showPoints } from "@cloze/schedule";

export interface ScheduledReader {
  /** The beginning of error messages. */
  readonly where: string;
  /** What a single value must be, in words. */
  readonly expected: string;
  /** Reads a single value. Throws ConfigError. */
  read(word: string): number | string;
}

/**
 * The value in its saved form: a single value if it does not change, otherwise a text that reads as the same schedule.
 * Throws ConfigError.
 */
export function readScheduled(value: unknown, { where, expected, read }: ScheduledReader): number | string {
  if (typeof value === "string") return showPoints(parsePoints(value, read, { where, expected }));
  if (typeof value === "number") return read(String(value));
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new ConfigError(
      `${where}: expected ${expected}, or values over the run, at:value,at:value, got ${JSON.stringify(value)}.`,
    );
  const points = pointsOfMap(value as Readonly<Record<string, unknown>>, where);
  return showPoints(
    points.map(({ at, value: each }) => {
      if (typeof each !== "number" && typeof each !== "string")
        throw new ConfigError(`${where}: expected ${expected} at ${at}, got ${JSON.stringify(each)}.`);
      return { at, value: read(String(each)) };
    }),
  );
}
