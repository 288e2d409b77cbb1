/**
 * The keys of dropout. Each row of a step has a key of its own, numbered over all parts of the step. So a step draws
 * the same in any number of parts and at any padding.
 */
import type { HostTensors } from "@cloze/graph";
import { RANDOM_KEY } from "@cloze/nn";
import { threefry2x32 } from "@cloze/random";
import type { Draws, TrainerState } from "./trainer-state.ts";

/** What a run's draws belong to. A resumed run keeps its kind; older runs have one key for each part. */
export const drawsOf = (resume: { readonly state: Partial<Pick<TrainerState, "draws">> } | undefined): Draws =>
  resume === undefined ? "row" : (resume.state.draws ?? "part");

/** The place of a part in its run. */
export interface PartPlace {
  readonly seed: number;
  readonly step: number;
  /** Number of the part, counted over the run. */
  readonly part: number;
  /** Number of the part's first row, counted over the step. */
  readonly firstRow: number;
  readonly rows: number;
}

/** The feed of the keys: u32 `[rows, 2]`, threefry2x32([seed, step], [row, 0]); or u32 `[2]` = (seed, part). */
export function drawFeed(draws: Draws, { seed, step, part, firstRow, rows }: PartPlace): HostTensors {
  if (draws === "part")
    return { [RANDOM_KEY]: { dtype: "u32", shape: [2], data: Uint32Array.of(seed >>> 0, part >>> 0) } };
  const keys = new Uint32Array(2 * rows);
  for (let row = 0; row < rows; row++) keys.set(threefry2x32([seed >>> 0, step >>> 0], [firstRow + row, 0]), 2 * row);
  return { [RANDOM_KEY]: { dtype: "u32", shape: [rows, 2], data: keys } };
}
