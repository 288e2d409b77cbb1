/** The estimate of a program's memory on a device. It needs only a profile and allocates nothing. */
import { UnsupportedError } from "@cloze/errors";
import type { Program } from "@cloze/graph";
import type { Profile } from "../profile.ts";
import { MEMORY_ADVICE, showBytes } from "./buffers.ts";
import { elementOf } from "./host-data.ts";
import type { Layout, Sized } from "./layout.ts";
import { readbackBytes } from "./readback.ts";
import { layState } from "./state.ts";

export interface Estimate {
  /** Bytes of the state's values, without alignment. */
  readonly stateBytes: number;
  /** Bytes of temporaries, placed by their lifetimes. */
  readonly arenaBytes: number;
  readonly feedBytes: number;
  readonly outputBytes: number;
  /** All bytes together, with alignment. The device must have this much memory. */
  readonly peakBytes: number;
  /** The largest temporaries, with the layers that compute them. */
  readonly largest: readonly Sized[];
}

const sum = (all: readonly number[]): number => all.reduce((total, bytes) => total + bytes, 0);

export function estimateOf(
  program: Program,
  { arenaBytes, feedChunks, outputBytes, largest }: Layout,
  profile: Profile,
): Estimate {
  for (const {
    attrs: { name },
    dtype,
  } of program.feeds)
    elementOf(`feed "${name}"`, dtype, profile.f16);
  const state = layState(
    Object.fromEntries(program.state.map(({ attrs: { name }, dtype, shape }) => [name, { dtype, shape }])),
    profile,
  );
  const stateBytes = sum([...state.entries.values()].map(({ bytes }) => bytes));
  const feedBytes = sum(feedChunks);
  return {
    stateBytes,
    arenaBytes,
    feedBytes,
    outputBytes,
    peakBytes: sum(state.chunks) + arenaBytes + feedBytes + (outputBytes === 0 ? 0 : readbackBytes(outputBytes)),
    largest,
  };
}

/** Throws UnsupportedError where the program needs more than `maxBytes`. */
export function checkMemory({ peakBytes, stateBytes, arenaBytes, largest }: Estimate, maxBytes: number): void {
  if (peakBytes <= maxBytes) return;
  throw new UnsupportedError(
    `backend webgpu: not enough memory for this program: expected ${showBytes(peakBytes)} (state ` +
      `${showBytes(stateBytes)}, temporaries ${showBytes(arenaBytes)}), got ${showBytes(maxBytes)} ` +
      `(maxBytes).${showLargest(largest)} ${MEMORY_ADVICE} Layers whose activations are recomputed need less as ` +
      "well.",
  );
}

/** " The largest temporaries: …", or an empty text where there are none. */
export const showLargest = (largest: readonly Sized[]): string =>
  largest.length === 0
    ? ""
    : " The largest temporaries: " +
      `${largest
        .map(({ name, path, bytes }) => `${path === "" ? "" : `${path}: `}${name} (${showBytes(bytes)})`)
        .join(", ")}.`;
