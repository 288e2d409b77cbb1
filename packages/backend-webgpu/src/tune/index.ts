/** Tiles chosen by measuring, and where they are kept. `disk-cache.ts` is for Node: import it dynamically. */
export { tunedTile, tuneMatmul, type Tuned, type TuneOptions } from "./tune.ts";
export { memoryCache, type TileCache } from "./tile-cache.ts";
export { browserCache } from "./browser-cache.ts";
export { deviceKey, shapeClass, tileKey, type DeviceWords } from "./key.ts";
