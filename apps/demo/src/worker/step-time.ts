/**
 * The rule that tells the time of a step before a run. Steps of the run's own program are timed, with fewer rows where
 * a whole step would take long:
 *
 *   1 row; then all rows if they should take less than the budget, else as many as it allows, 2 at least
 *   time(rows) = the line through the two points
 *
 * A step has a part that does not depend on the rows (the update of the weights, the start of the kernels), so one
 * point would not do.
 */

export interface TimedRows {
  readonly rows: number;
  readonly seconds: number;
}

/** Time that one timed step may take. */
const BUDGET_SECONDS = 2.5;

/** The number of rows to time next. Undefined: the times so far are enough. */
export function rowsToTime(rows: number, timed: readonly TimedRows[]): number | undefined {
  const [one, another] = timed;
  if (one === undefined) return 1;
  if (rows === 1 || another !== undefined) return undefined;
  return Math.min(rows, Math.max(2, Math.floor(BUDGET_SECONDS / one.seconds)));
}

/** Seconds of a step with `rows` rows. */
export function stepSeconds(rows: number, timed: readonly TimedRows[]): number {
  const [one, another] = timed;
  if (one === undefined) throw new RangeError("stepSeconds: expected a timed step, got none");
  if (another === undefined) return one.seconds * (rows / one.rows);
  const slope = Math.max(0, another.seconds - one.seconds) / (another.rows - one.rows);
  return another.seconds + slope * (rows - another.rows);
}
