/** The exports that need Node: measured tiles on disk. */
export { diskCache, type DiskCacheOptions } from "./tune/disk-cache.ts";
