/**
 * The placement of temporaries in memory. A temporary lives from the first kernel that binds it to the last one. Two
 * temporaries that live at the same time never share a byte.
 *
 * Offsets come from a best fit. In a fixed order, each storage takes the smallest gap, in any chunk, that is free for
 * its whole lifetime. Where no gap fits, it extends the chunk that grows least. Three orders are tried (by bytes, by
 * bytes times lifetime, by start), and the one with the fewest total bytes is used. Price: n^2 / 2 comparisons an
 * order. Source: the greedy-by-size rule of Pisarchyk and Lee 2020, arXiv:2001.03288, with chunks of limited size.
 */

/** 16-bit and 32-bit storages never share a chunk, because a window kernel binds a whole buffer as one element type. */
export type Group = "16-bit" | "32-bit";

export interface Lifetime {
  readonly bytes: number;
  readonly group: Group;
  /** Numbers of the first and the last kernel that uses it, both included. */
  readonly first: number;
  readonly last: number;
}

export interface Spot {
  readonly chunk: number;
  readonly offset: number;
}

export interface Chunk {
  readonly group: Group;
  readonly bytes: number;
}

export interface Placement {
  /** One spot for each lifetime, in order. */
  readonly spots: readonly Spot[];
  readonly chunks: readonly Chunk[];
}

export interface PlaceOptions {
  /** All offsets are multiples of this. */
  readonly alignment: number;
  /** Largest size of a chunk. No lifetime may be larger. */
  readonly chunkBytes: number;
}

export const roundUp = (bytes: number, multiple: number): number => Math.ceil(bytes / multiple) * multiple;

type Order = (a: Lifetime, b: Lifetime) => number;

const span = ({ first, last }: Lifetime): number => last - first + 1;

const ORDERS: readonly Order[] = [
  (a, b) => b.bytes - a.bytes || span(b) - span(a) || a.first - b.first,
  (a, b) => b.bytes * span(b) - a.bytes * span(a) || a.first - b.first,
  (a, b) => a.first - b.first || b.bytes - a.bytes,
];

/** Above this number of storages only one order is tried, because three would take seconds. */
const MANY = 6000;

export function place(lifetimes: readonly Lifetime[], options: PlaceOptions): Placement {
  const tries = (lifetimes.length > MANY ? ORDERS.slice(0, 1) : ORDERS).map((order) =>
    placeIn(order, lifetimes, options),
  );
  return tries.reduce((best, next) =>
    bytesOf(next) < bytesOf(best) || (bytesOf(next) === bytesOf(best) && next.chunks.length < best.chunks.length)
      ? next
      : best,
  );
}

export const bytesOf = ({ chunks }: Pick<Placement, "chunks">): number =>
  chunks.reduce((sum, { bytes }) => sum + bytes, 0);

interface Block {
  readonly first: number;
  readonly last: number;
  readonly start: number;
  readonly end: number;
}

interface Growing {
  readonly group: Group;
  bytes: number;
  /** Sorted by start. */ readonly blocks: Block[];
}

function placeIn(order: Order, lifetimes: readonly Lifetime[], { alignment, chunkBytes }: PlaceOptions): Placement {
  const limit = Math.floor(chunkBytes / alignment) * alignment;
  const chunks: Growing[] = [];
  const spots: Spot[] = [];
  const sequence = lifetimes
    .map((_, i) => i)
    .sort((i, j) => order(lifetimes[i] as Lifetime, lifetimes[j] as Lifetime) || i - j);
  for (const i of sequence) {
    const item = lifetimes[i] as Lifetime;
    const bytes = roundUp(Math.max(item.bytes, 1), alignment);
    const { chunk, offset } = bestSpot(chunks, item, bytes, limit) ?? {
      chunk: chunks.push({ group: item.group, bytes: 0, blocks: [] }) - 1,
      offset: 0,
    };
    const into = chunks[chunk] as Growing;
    into.bytes = Math.max(into.bytes, offset + bytes);
    insert(into.blocks, { first: item.first, last: item.last, start: offset, end: offset + bytes });
    spots[i] = { chunk, offset };
  }
  return { spots, chunks: chunks.map(({ group, bytes }) => ({ group, bytes })) };
}

/** The tightest gap of any chunk; otherwise the end of the chunk that grows least, within the limit. */
function bestSpot(chunks: readonly Growing[], item: Lifetime, bytes: number, limit: number): Spot | undefined {
  let best: Spot | undefined;
  let slack = Infinity;
  let growth = Infinity;
  for (const [chunk, { group, bytes: size, blocks }] of chunks.entries()) {
    if (group !== item.group) continue;
    let free = 0;
    for (const block of blocks) {
      if (block.last < item.first || block.first > item.last) continue;
      const gap = block.start - free;
      if (gap >= bytes && (growth > 0 || gap - bytes < slack))
        [best, slack, growth] = [{ chunk, offset: free }, gap - bytes, 0];
      free = Math.max(free, block.end);
    }
    if (free + bytes > limit) continue;
    // The space after the last block of the same lifetime. Inside the chunk it is a gap like any other.
    const more = Math.max(0, free + bytes - size);
    const left = Math.max(0, size - free - bytes);
    if (more < growth || (more === growth && left < slack))
      [best, slack, growth] = [{ chunk, offset: free }, left, more];
  }
  return best;
}

function insert(blocks: Block[], block: Block): void {
  let low = 0;
  let high = blocks.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((blocks[middle] as Block).start <= block.start) low = middle + 1;
    else high = middle;
  }
  blocks.splice(low, 0, block);
}

/** The largest number of bytes alive at once. No placement can be smaller. */
export function lowerBound(lifetimes: readonly Lifetime[], alignment: number): number {
  const change = new Map<number, number>();
  const add = (at: number, bytes: number): void => void change.set(at, (change.get(at) ?? 0) + bytes);
  for (const { bytes, first, last } of lifetimes) {
    add(first, roundUp(Math.max(bytes, 1), alignment));
    add(last + 1, -roundUp(Math.max(bytes, 1), alignment));
  }
  let now = 0;
  let peak = 0;
  for (const at of [...change.keys()].sort((a, b) => a - b)) {
    now += change.get(at) as number;
    peak = Math.max(peak, now);
  }
  return peak;
}

/** Places storages that live all the time, one after another, in order. A new chunk begins where one is full. */
export function pack(
  bytes: readonly number[],
  { alignment, chunkBytes }: PlaceOptions,
): { readonly spots: readonly Spot[]; readonly chunks: readonly number[] } {
  const limit = Math.floor(chunkBytes / alignment) * alignment;
  const chunks: number[] = [];
  const spots = bytes.map((size) => {
    const wanted = roundUp(Math.max(size, 1), alignment);
    const end = chunks.at(-1);
    if (end === undefined || end + wanted > limit) chunks.push(0);
    const chunk = chunks.length - 1;
    const offset = chunks[chunk] as number;
    chunks[chunk] = offset + wanted;
    return { chunk, offset };
  });
  return { spots, chunks };
}
