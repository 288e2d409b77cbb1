/** The options of a download, and its progress reports. */
import type { HubSettings } from "./settings.ts";

/** Progress of a download, over all its files. */
export interface HubProgress {
  /** Path of the current file in the repository. */
  readonly file: string;
  /** Bytes on disk so far, with those of an earlier, interrupted download. */
  readonly bytes: number;
  readonly totalBytes: number;
}

export interface HubOptions extends HubSettings {
  /** Called for every chunk that arrives, so it must be fast. */
  readonly onProgress?: (progress: HubProgress) => void;
  /** Called with a sentence for the user, for example that the Hub is out of reach and the cache's copy is used. */
  readonly onNote?: (note: string) => void;
  readonly signal?: AbortSignal;
  /** Time in milliseconds without data after which a connection is made again. Default 30,000. */
  readonly stallMs?: number;
  /** Pause in milliseconds before the first new attempt. It doubles with each attempt. Default 500. */
  readonly retryMs?: number;
}
