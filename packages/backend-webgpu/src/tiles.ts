/**
 * The tiles of a program's matmuls: measured ones, from earlier or from now, otherwise the defaults of the device's
 * family. A program is compiled first with the defaults, which shows its products. It is compiled again where a
 * measured tile is known.
 */
/// <reference types="@webgpu/types" />
import type { TileChoice } from "./compile/anchor.ts";
import type { Compiled } from "./kernel.ts";
import { defaultTile, type Tile } from "./matmul/index.ts";
import type { MatmulSpec } from "./matmul-spec.ts";
import type { Profile } from "./profile.ts";
import { memoryCache, tileKey, tunedTile, tuneMatmul, type DeviceWords, type TileCache } from "./tune/index.ts";

export interface TileOptions {
  /**
   * The cache of measured tiles: `diskCache` of `@cloze/backend-webgpu/node`, or `() => browserCache(indexedDB)`.
   * Default: a cache in memory.
   */
  readonly tiles?: (device: DeviceWords) => TileCache;
  /** Measures products that are not in the cache, which takes some seconds a program. Default false. */
  readonly tune?: boolean;
  /** Time for the measurements of one program. Default 20,000. */
  readonly tuneMs?: number;
}

export interface Tiles {
  /** Compiles a program with the best known tiles. */
  readonly apply: (compile: (tileFor: TileChoice) => Compiled) => Promise<Compiled>;
}

export function tilesOf(
  device: GPUDevice,
  profile: Profile,
  { tiles, tune = false, tuneMs = 20_000 }: TileOptions,
): Tiles {
  const words = device.adapterInfo;
  const cache = tiles?.(words) ?? memoryCache();
  return {
    apply: async (compile) => {
      const specs = new Map<string, MatmulSpec>();
      const plain = compile((spec) => {
        specs.set(tileKey(words, spec), spec);
        return defaultTile(spec, profile);
      });
      if ((tiles === undefined && !tune) || specs.size === 0) return plain;
      if (tune) await tuneMatmul(device, profile, [...specs.values()], cache, { budgetMs: tuneMs });
      const known = new Map<string, Tile>();
      for (const [key, spec] of specs) {
        const tile = await tunedTile(words, profile, spec, cache);
        if (tile !== undefined) known.set(key, tile);
      }
      return known.size === 0
        ? plain
        : compile((spec) => known.get(tileKey(words, spec)) ?? defaultTile(spec, profile));
    },
  };
}
