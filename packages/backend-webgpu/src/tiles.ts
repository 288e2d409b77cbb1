/**
 * Tiles of a program's matmuls: what was measured on this device before, or is measured now, else the defaults of its
 * family. A program is compiled with the defaults first, which tells its products; and once more where something better
 * is known.
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
   * Where measured tiles are kept: `diskCache` of `@cloze/backend-webgpu/node`, or `() => browserCache(indexedDB)`.
   * Default: nowhere.
   */
  readonly tiles?: (device: DeviceWords) => TileCache;
  /** Measures products that this device has not met, some seconds a program. Default false: what is kept is used. */
  readonly tune?: boolean;
  /** Time for the measurements of one program. Default 20,000. */
  readonly tuneMs?: number;
}

export interface Tiles {
  /** Compiles with the best tiles known. */
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
