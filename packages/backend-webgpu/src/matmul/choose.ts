/**
 * The choice of a matmul's tile. The default comes from a table of tiles for each family and one score. Only
 * measurements (`../tune/`) find the best tile of a real device.
 *
 *   score = speed of the tile on a full device * wanted share of the padded result * fullness of the device
 *
 * Software adapters: measured GFLOPS by processor time on lavapipe (subgroups of 8, 2 cores of a shared machine),
 * [1024, 256] x [256, 256]:
 *
 *   plain        8x8   22 to 25
 *   with lanes   8x4   45 to 50 (rows x columns)
 *                16x4  55 to 66
 *                24x4  68
 *                32x4  62 to 74, but twice the time to compile
 *                8x8   28 to 50
 *                16x8  51
 *                32x8  28; the loop is larger than the instruction cache
 *
 * With 8 steps of k the loop is too large as well (GFLOPS 32).
 */
import type { MatmulSpec } from "../matmul-spec.ts";
import type { Family, Profile } from "../profile.ts";
import { sharedBytes } from "./shared.ts";
import { matrixTiles } from "./subgroup-matrix.ts";
import { extent, type RegisterTile, type SharedTile, type Tile } from "./tile.ts";

type Cut = readonly [m: number, n: number, k: number, rows: number, columns: number, speed: number];

// `speed` is a share of the best tile's speed on a full device.
const big: readonly Cut[] = [
  [128, 128, 16, 8, 8, 1],
  [128, 128, 8, 8, 8, 0.95],
  [128, 64, 16, 8, 4, 0.85],
  [64, 128, 16, 4, 8, 0.85],
  [64, 64, 16, 4, 4, 0.7],
  [32, 64, 16, 4, 4, 0.5],
  [32, 32, 16, 4, 4, 0.4],
];
const middle: readonly Cut[] = [
  [64, 64, 16, 8, 8, 1],
  [64, 64, 16, 4, 4, 0.95],
  [128, 64, 16, 8, 4, 0.9],
  [32, 64, 16, 4, 4, 0.7],
  [32, 32, 16, 4, 4, 0.6],
];
const small: readonly Cut[] = [
  [32, 64, 8, 4, 8, 1],
  [32, 32, 16, 4, 4, 0.9],
  [64, 64, 8, 8, 8, 0.8],
  [16, 32, 16, 4, 4, 0.6],
];
const cuts: { readonly [F in Exclude<Family, "software">]: readonly Cut[] } = {
  nvidia: big,
  amd: big,
  unknown: middle,
  intel: middle,
  apple: middle,
  mobile: small,
};
/** Number of workgroups that fill a typical device of the family. */
const slots: { readonly [F in Family]: number } = {
  nvidia: 256,
  amd: 128,
  unknown: 64,
  intel: 64,
  apple: 64,
  mobile: 16,
  software: 8,
};
/** The shortest part of k that is worth a workgroup of its own. */
const shortestSplit = 256;

const workgroups = (spec: MatmulSpec, tile: Tile): number => {
  const { m, n } = extent(tile);
  return Math.ceil(spec.m / m) * Math.ceil(spec.n / n) * spec.batch * spec.problems.length * tile.splits;
};

/** The number of parts of k that almost fill the device; 1 where the device is full already or k is short. */
function splitsFor(spec: MatmulSpec, tile: Tile, family: Family): number {
  const wanted = Math.floor(slots[family] / workgroups(spec, tile));
  return Math.max(1, Math.min(wanted, Math.floor(spec.k / shortestSplit), 64));
}

function score(spec: MatmulSpec, tile: Tile, speed: number, family: Family): number {
  const { m, n } = extent(tile);
  const wanted = (spec.m * spec.n) / (Math.ceil(spec.m / m) * m * Math.ceil(spec.n / n) * n);
  const groups = workgroups(spec, tile);
  const full = groups >= slots[family] ? 1 : groups / slots[family];
  return speed * wanted * full * (tile.splits > 1 ? 0.9 : 1);
}

/** Lanes of a subgroup, or 1. Lanes can exchange elements only where subgroups have one known size. */
const lanesOf = ({ subgroups }: Profile): number =>
  subgroups !== undefined && subgroups.min === subgroups.max && subgroups.min % 4 === 0 ? subgroups.min : 1;

function registerTiles(spec: MatmulSpec, profile: Profile): readonly [Tile, ...Tile[]] {
  const lanes = profile.family === "software" ? lanesOf(profile) : 1;
  const least = lanes > 1 ? lanes : 4;
  const tile = (rows: number, columns: number): RegisterTile => {
    const one: RegisterTile = { kind: "register", rows, columns, lanes, splits: 1 };
    return { ...one, splits: splitsFor(spec, one, profile.family) };
  };
  // The work is so small that compilation takes most of the time, so the tile with the shortest text comes first.
  if (profile.family === "software" && spec.batch * spec.m * spec.n * spec.k <= 2 ** 18)
    return [{ kind: "register", rows: 4, columns: 4, lanes: 1, splits: 1 }, tile(least, 4)];
  // With few rows, no tile is much taller than the result.
  const shapes = (
    [
      [2 * least, 4],
      [4 * least, 4],
      [2 * least, 8],
    ] as const
  ).filter(([rows]) => rows < 2 * spec.m && rows > least);
  const [first, ...rest] = shapes.map(([rows, columns]) => tile(rows, columns));
  return first === undefined ? [tile(least, 4)] : [first, tile(least, 4), ...rest];
}

function sharedTiles(
  spec: MatmulSpec,
  profile: Profile,
  family: Exclude<Family, "software">,
): readonly { readonly tile: SharedTile; readonly speed: number }[] {
  return cuts[family].flatMap(([m, n, k, rows, columns, speed]) => {
    const tile: SharedTile = { kind: "shared", m, n, k, rows, columns, prefetch: true, splits: 1 };
    const fits =
      extent(tile).invocations <= profile.limits.invocations && sharedBytes(spec, tile) <= profile.limits.sharedBytes;
    return fits ? [{ tile, speed }] : [];
  });
}

/** All tiles that are worth a measurement for a spec on a device. The default is first. */
export function tileCandidates(spec: MatmulSpec, profile: Profile): readonly [Tile, ...Tile[]] {
  const { family } = profile;
  const [first, ...rest] = registerTiles(spec, profile);
  if (family === "software") return [first, ...rest];
  const scored: { readonly tile: Tile; readonly score: number }[] = [];
  // Matrix units are several times as fast. A factor of only 2 keeps small results on tiles that fill the device.
  const matrix = matrixTiles(spec, profile).map(({ tile, speed }) => ({ tile, speed: 2 * speed }));
  for (const { tile, speed } of [...matrix, ...sharedTiles(spec, profile, family)]) {
    const splits = splitsFor(spec, tile, family);
    for (const t of splits > 1 ? [tile, { ...tile, splits }] : [tile])
      scored.push({ tile: t, score: score(spec, t, speed, family) });
  }
  const [best, ...others] = scored.toSorted((x, y) => y.score - x.score).map((x) => x.tile);
  return best === undefined ? [first, ...rest] : [best, ...others, first, ...rest];
}

/** The tile of a spec without measurements. */
export const defaultTile = (spec: MatmulSpec, profile: Profile): Tile => tileCandidates(spec, profile)[0];
