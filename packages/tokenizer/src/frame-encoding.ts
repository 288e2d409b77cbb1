/** The last step of every encoder: a body of tokens, cut to length and framed by special tokens. */
import { ConfigError } from "@cloze/errors";
import type { Encoding, EncodeOptions, EncodingIssues } from "./encoding.ts";

export interface EncodedBody {
  /** Room for the body; the first `count` are used. */
  readonly ids: Int32Array;
  /** Start and end of each, two per token. */
  readonly offsets: Int32Array;
  readonly count: number;
}

/**
 * `before`, the body, `after`, with offsets (0, 0) for the frame.
 *
 * The body is cut at its end to fit `maxLength`. Throws ConfigError if not even the frame fits.
 */
export function frameEncoding(
  body: EncodedBody,
  frame: { readonly before: readonly number[]; readonly after: readonly number[] },
  issues: EncodingIssues,
  options: EncodeOptions = {},
): Encoding {
  const { special = true, maxLength = Infinity } = options;
  const before = special ? frame.before : [];
  const after = special ? frame.after : [];
  const room = maxLength - before.length - after.length;
  if (!(room >= 0)) {
    throw new ConfigError(
      `encode: expected maxLength of at least ${before.length + after.length}, the special tokens alone, got ` +
        `${maxLength}. Raise it, or pass special: false.`,
    );
  }
  const kept = Math.min(body.count, Math.floor(room));
  const length = before.length + kept + after.length;
  const ids = new Int32Array(length);
  const offsets = new Int32Array(2 * length);
  ids.set(before);
  ids.set(body.ids.subarray(0, kept), before.length);
  ids.set(after, before.length + kept);
  offsets.set(body.offsets.subarray(0, 2 * kept), 2 * before.length);
  return { ids, offsets, truncated: body.count - kept, issues };
}
