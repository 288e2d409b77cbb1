/**
 * Options whose value may change over the run: `--window 0:64,0.5:128`, in a config file also `window: { 0: 64, 0.5:
 * 128 }`. A place up to 1 is a share of the run, above 1 a number of steps; without places the value is that of the
 * whole run.
 */
import { ConfigError } from "@cloze/errors";
import { parsePoints, pointsOfMap, showPoints } from "@cloze/schedule";

export interface ScheduledReader {
  /** Begins the messages. */
  readonly where: string;
  /** What a single value must be, in words. */
  readonly expected: string;
  /** A single value. Throws ConfigError. */
  read(word: string): number | string;
}

/**
 * The value as it is kept: alone where it does not change, else as a text that reads the same again. Throws
 * ConfigError.
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
