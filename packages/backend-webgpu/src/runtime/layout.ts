/**
 * The memory layout of one compiled program, without state, which belongs to the session. Temporaries lie in chunks by
 * their lifetimes; feeds are packed for one upload, outputs for one readback. The layout is plain data and needs no
 * device.
 */
import { invariant, UnsupportedError } from "@cloze/errors";
import { showType, sizeOf, type Program, type TensorType } from "@cloze/graph";
import type { Compiled, Deferred, Kernel, Storage } from "../kernel.ts";
import type { Profile } from "../profile.ts";
import { MEMORY_ADVICE, showBytes } from "./buffers.ts";
import { deviceBytes } from "./host-data.ts";
import { bytesOf, pack, place, type Chunk, type Lifetime, type PlaceOptions, type Spot } from "./place.ts";

export interface Layout {
  readonly temporaries: ReadonlyMap<Storage, Spot>;
  readonly chunks: readonly Chunk[];
  /** The feeds that a kernel reads or that are outputs. Other feeds are not uploaded. */
  readonly feeds: ReadonlyMap<Storage, Spot>;
  readonly feedChunks: readonly number[];
  readonly state: ReadonlyMap<string, Storage>;
  readonly outputs: readonly Output[];
  /** Bytes that a run copies back to the host. */
  readonly outputBytes: number;
  readonly arenaBytes: number;
  /** The largest temporaries, each with the layer that computes it. */
  readonly largest: readonly Sized[];
}

export interface Output {
  readonly name: string;
  readonly storage: Storage;
  readonly type: TensorType;
  readonly bytes: number;
  /** First byte in the readback buffer. */
  readonly offset: number;
}

export interface Sized {
  readonly name: string;
  readonly path: string;
  readonly bytes: number;
}

/** All offsets are multiples of this. It is enough for vec4 loads and windows on every device. */
const ALIGNMENT = 256;

export const packing = ({ limits }: Profile): PlaceOptions => {
  const alignment = Math.max(ALIGNMENT, limits.offsetAlignment);
  return {
    alignment,
    chunkBytes: Math.floor(Math.min(limits.bufferBytes, limits.bindingBytes) / alignment) * alignment,
  };
};

export const bytesOfStorage = ({ element, size }: Storage): number => deviceBytes(element, size);

export function layoutOf({ kernels, outputs }: Compiled, program: Program, profile: Profile): Layout {
  const options = packing(profile);
  const uses = usesOf(kernels);
  const last = kernels.length;
  for (const [name, storage] of outputs) {
    const use = uses.get(storage);
    invariant(use !== undefined || storage.kind !== "temporary", `no kernel writes the output "${name}"`);
    uses.set(storage, { first: use?.first ?? last, last, path: use?.path ?? "" });
  }
  for (const [storage, { path }] of uses) checkFits(storage, path, options.chunkBytes);
  const of = (kind: Storage["kind"]): readonly Storage[] => [...uses.keys()].filter((s) => s.kind === kind);
  const temporaries = of("temporary");
  const placed = place(
    temporaries.map((s) => lifetimeOf(s, uses.get(s) as Use)),
    options,
  );
  const feeds = of("feed");
  const packed = pack(feeds.map(bytesOfStorage), options);
  const copies = outputsOf(outputs, program);
  return {
    temporaries: spots(temporaries, placed.spots),
    chunks: placed.chunks,
    feeds: spots(feeds, packed.spots),
    feedChunks: packed.chunks,
    state: new Map(of("state").map((s) => [s.name, s])),
    outputs: copies,
    outputBytes: copies.reduce((sum, { bytes }) => sum + bytes, 0),
    arenaBytes: bytesOf(placed),
    largest: temporaries
      .map((s) => ({ name: s.name, path: uses.get(s)?.path ?? "", bytes: bytesOfStorage(s) }))
      .sort((a, b) => b.bytes - a.bytes)
      .slice(0, 5),
  };
}

interface Use {
  readonly first: number;
  readonly last: number;
  /** Layer path of the first kernel that binds the storage. */ readonly path: string;
}

function usesOf(kernels: readonly (Kernel | Deferred)[]): Map<Storage, Use> {
  const uses = new Map<Storage, Use>();
  for (const [at, { bindings, path }] of kernels.entries()) {
    for (const { storage } of bindings) uses.set(storage, { first: at, path, ...uses.get(storage), last: at });
  }
  return uses;
}

const lifetimeOf = (storage: Storage, { first, last }: Use): Lifetime => ({
  bytes: bytesOfStorage(storage),
  group: storage.element === "f16" ? "16-bit" : "32-bit",
  first,
  last,
});

const spots = (storages: readonly Storage[], at: readonly Spot[]): ReadonlyMap<Storage, Spot> =>
  new Map(storages.map((s, i) => [s, at[i] as Spot]));

/** Throws where a storage is larger than a binding, since one binding must cover the whole storage. */
export function checkFits(storage: Storage, path: string, chunkBytes: number): void {
  const bytes = bytesOfStorage(storage);
  if (bytes <= chunkBytes) return;
  const what = {
    state: `state "${storage.name}"`,
    feed: `feed "${storage.name}"`,
    temporary: storage.name,
    table: storage.name,
  }[storage.kind];
  const where = path === "" ? "" : `${path}: `;
  const advice =
    storage.kind === "state"
      ? "Use a model whose largest matrix is smaller, or a device with larger bindings."
      : `${MEMORY_ADVICE} Layers whose activations are recomputed need less as well.`;
  throw new UnsupportedError(
    `backend webgpu: ${where}${what}: expected at most ${showBytes(chunkBytes)} (what one binding of this device ` +
      `shows), got ${showBytes(bytes)} (${storage.element}[${storage.size}]). ${advice}`,
  );
}

function outputsOf(outputs: Compiled["outputs"], program: Program): readonly Output[] {
  let offset = 0;
  return Object.entries(program.outputs).map(([name, { dtype, shape }]) => {
    const storage = outputs.get(name);
    const type = { dtype, shape };
    invariant(
      storage !== undefined && storage.size >= sizeOf(shape),
      `the output "${name}" (${showType(type)}) was compiled to ` +
        `${storage === undefined ? "nothing" : `${storage.element}[${storage.size}]`}`,
    );
    const bytes = sizeOf(shape) === 0 ? 0 : deviceBytes(storage.element, sizeOf(shape));
    const at = offset;
    offset += bytes;
    return { name, storage, type, bytes, offset: at };
  });
}

/** Kernels by name with counts, in the order of first use. A deferred kernel counts as one. */
export function stepsOf(
  kernels: readonly { readonly name: string }[],
): readonly { readonly kernel: string; readonly count: number }[] {
  const counts = new Map<string, number>();
  for (const { name } of kernels) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].map(([kernel, count]) => ({ kernel, count }));
}
