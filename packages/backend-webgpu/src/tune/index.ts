/** The choice of tiles by measurement, and the tile caches. `disk-cache.ts` is not here, because it needs Node. */
export { tunedTile, tuneMatmul, type Tuned, type TuneOptions } from "./tune.ts";
export { memoryCache, type TileCache } from "./tile-cache.ts";
export { browserCache } from "./browser-cache.ts";
export { deviceKey, shapeClass, tileKey, type DeviceWords } from "./key.ts";
