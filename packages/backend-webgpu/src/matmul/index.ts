/** The matmul kernels: `matmulPart` writes the text for a tile; `defaultTile` and `tileCandidates` choose the tile. */
import type { Part } from "../kernel.ts";
import type { MatmulSpec } from "../matmul-spec.ts";
import type { Profile } from "../profile.ts";
import { registerPart } from "./register.ts";
import { sharedPart } from "./shared.ts";
import { subgroupMatrixPart } from "./subgroup-matrix.ts";
import type { Tile } from "./tile.ts";

export { defaultTile, tileCandidates } from "./choose.ts";
export { type RegisterTile, type SharedTile, type SubgroupMatrixTile, type Tile, tileName } from "./tile.ts";

/** The kernel of a spec with a tile. Every tile is correct for every size, edges included. */
export function matmulPart(spec: MatmulSpec, tile: Tile, profile: Profile): Part {
  switch (tile.kind) {
    case "register":
      return registerPart(spec, tile, profile);
    case "shared":
      return sharedPart(spec, tile, profile);
    case "subgroup-matrix":
      return subgroupMatrixPart(spec, tile, profile);
  }
}
