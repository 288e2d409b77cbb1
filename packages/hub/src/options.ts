import type { HubSettings } from "./settings.ts";

/** How far a download is, over all files of it. */
export interface HubProgress {
  /** The file under way, as the repository names it. */
  readonly file: string;
  /** Bytes here so far, those of an earlier, interrupted download included. */
  readonly bytes: number;
  readonly totalBytes: number;
}

export interface HubOptions extends HubSettings {
  /** Called at every piece that arrives: cheap work only. */
  readonly onProgress?: (progress: HubProgress) => void;
  /** A choice that a person should know of, a sentence: the Hub cannot be reached, and the cache's copy is taken. */
  readonly onNote?: (note: string) => void;
  readonly signal?: AbortSignal;
  /** A connection that gives nothing for so long is made again. Default 30,000. */
  readonly stallMs?: number;
  /** Pause before the first new attempt after a dropped connection; it doubles with each. Default 500. */
  readonly retryMs?: number;
}
