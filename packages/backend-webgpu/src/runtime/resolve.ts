/**
 * The resolution of kernels: each binding gets its range in a buffer. Buffers are only numbers here, so this step (and
 * its tests) need no device. Deferred kernels get their text and tables here, once for each layout of state.
 *
 * This step also checks WebGPU's rule, because the error can name the kernel here. In one dispatch a buffer is
 * read-only or writable, not both, and writable ranges do not overlap.
 */
import { invariant } from "@cloze/errors";
import { isDeferred, type Binding, type Compiled, type Place, type Storage, type WindowKernel } from "../kernel.ts";
import type { Profile } from "../profile.ts";
import { KernelError } from "./errors.ts";
import { bytesOfStorage, type Layout } from "./layout.ts";
import type { PipelineSource } from "./pipelines.ts";
import type { Spot } from "./place.ts";

/** A range of a buffer. */
export interface Range {
  readonly buffer: number;
  readonly offset: number;
  /** Undefined for a range to the end of the buffer. */
  readonly bytes: number | undefined;
}

export interface Resolved extends PipelineSource {
  readonly ranges: readonly Range[];
  readonly grid: readonly [x: number, y: number, z: number];
  readonly flops: number;
}

export interface ResolvedProgram {
  readonly kernels: readonly Resolved[];
  /** Tables in the order of their buffer numbers. These numbers follow those of all other buffers. */
  readonly tables: readonly Storage[];
  readonly outputs: readonly Range[];
}

/**
 * The first buffer number of each kind. The order is chunks of temporaries (from 0), of state, of feeds, then tables.
 */
export interface Numbering {
  readonly state: number;
  readonly feeds: number;
  readonly tables: number;
}

export const numberingOf = (layout: Layout, stateChunks: number): Numbering => {
  const state = layout.chunks.length;
  const feeds = state + stateChunks;
  return { state, feeds, tables: feeds + layout.feedChunks.length };
};

export function resolve(
  { kernels }: Compiled,
  layout: Layout,
  state: { readonly spots: ReadonlyMap<string, Spot>; readonly chunks: number },
  profile: Profile,
): ResolvedProgram {
  const numbers = numberingOf(layout, state.chunks);
  const tables: Storage[] = [];
  const known = new Map<Storage, number>();
  const table = (storage: Storage): Place => {
    invariant(storage.data !== undefined, `the table "${storage.name}" has no contents`);
    const at = known.get(storage) ?? tables.push(storage) - 1;
    known.set(storage, at);
    return { buffer: numbers.tables + at, offset: 0 };
  };
  const placeOf = (storage: Storage): Place => {
    if (storage.kind === "table") return table(storage);
    const [base, spot] =
      storage.kind === "temporary"
        ? [0, layout.temporaries.get(storage)]
        : storage.kind === "feed"
          ? [numbers.feeds, layout.feeds.get(storage)]
          : [numbers.state, state.spots.get(storage.name)];
    invariant(spot !== undefined, `the ${storage.kind} "${storage.name}" has no place`);
    return { buffer: base + spot.chunk, offset: spot.offset };
  };
  const range = (storage: Storage): Range => ({ ...placeOf(storage), bytes: bytesOfStorage(storage) });
  const windows = kernels.flatMap((kernel): readonly WindowKernel[] =>
    isDeferred(kernel) ? kernel.link(placeOf) : [kernel],
  );
  const resolved = windows.map(({ bindings, ...kernel }): Resolved => ({
    ...kernel,
    bindings,
    ranges: bindings.map((b) => (isStorage(b) ? range(b.storage) : { buffer: b.buffer, offset: 0, bytes: undefined })),
  }));
  for (const kernel of resolved) check(kernel, profile);
  return { kernels: resolved, tables, outputs: layout.outputs.map(({ storage }) => range(storage)) };
}

const isStorage = (binding: WindowKernel["bindings"][number]): binding is Binding => "storage" in binding;

function check(kernel: Resolved, { limits }: Profile): void {
  const { ranges, bindings, grid } = kernel;
  const wrong = (what: string): never => {
    throw new KernelError(kernel, what);
  };
  if (ranges.length > limits.storageBuffers)
    wrong(`it binds ${ranges.length} buffers, and this device allows ${limits.storageBuffers}.`);
  if (grid.some((n) => !(Number.isInteger(n) && n >= 1 && n <= limits.workgroups)))
    wrong(`its grid is ${grid.join(" x ")}, and an axis of this device takes 1 to ${limits.workgroups}.`);
  ranges.forEach((a, i) => {
    ranges.slice(0, i).forEach((b, j) => {
      if (a.buffer !== b.buffer) return;
      const both = `bindings ${j} and ${i}`;
      if (bindings[i]?.access !== bindings[j]?.access)
        wrong(`${both} are parts of one buffer, one read-only and one writable.`);
      if (bindings[i]?.access === "read_write" && a.offset < endOf(b) && b.offset < endOf(a))
        wrong(`${both} are writable and overlap.`);
    });
  });
}

const endOf = ({ offset, bytes = Infinity }: Range): number => offset + bytes;
