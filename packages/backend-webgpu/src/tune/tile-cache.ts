/**
 * The interface of tile caches. A key names the device, its driver, the version of the templates and the class of the
 * product. Every tile gives correct results, so a tile under a wrong key is only slow. Its form must be checked,
 * because it comes from outside the program.
 */
import type { Tile } from "../matmul/tile.ts";

export interface TileCache {
  get(key: string): Promise<Tile | undefined>;
  set(key: string, tile: Tile): Promise<void>;
}

/** A cache in memory, which lives as long as the object. */
export function memoryCache(): TileCache {
  const tiles = new Map<string, Tile>();
  return {
    get: (key) => Promise.resolve(tiles.get(key)),
    set: (key, tile) => {
      tiles.set(key, tile);
      return Promise.resolve();
    },
  };
}

const isCount = (x: unknown): boolean => Number.isInteger(x) && Number(x) > 0;
const isPair = (x: unknown, size: number): boolean => Array.isArray(x) && x.length === size && x.every(isCount);

/** Is this plain data a tile that the templates accept? */
export function isTile(x: unknown): x is Tile {
  if (typeof x !== "object" || x === null) return false;
  const t = x as { readonly [field: string]: unknown };
  const by4 = (...fields: readonly string[]): boolean => fields.every((f) => isCount(t[f]) && Number(t[f]) % 4 === 0);
  if (!isCount(t["splits"])) return false;
  switch (t["kind"]) {
    case "register": {
      const lanes = Number(t["lanes"]);
      return (
        by4("columns", "rows") &&
        isCount(t["lanes"]) &&
        (lanes === 1 || (lanes % 4 === 0 && Number(t["rows"]) % lanes === 0))
      );
    }
    case "shared":
      return (
        by4("rows", "columns", "k") &&
        isCount(t["m"]) &&
        isCount(t["n"]) &&
        Number(t["m"]) % Number(t["rows"]) === 0 &&
        Number(t["n"]) % Number(t["columns"]) === 0 &&
        typeof t["prefetch"] === "boolean"
      );
    case "subgroup-matrix":
      return isPair(t["matrix"], 3) && isPair(t["matrices"], 2) && isPair(t["subgroups"], 2) && by4("k", "lanes");
    default:
      return false;
  }
}
