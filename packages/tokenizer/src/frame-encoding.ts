/** The last step of an encoder of one text: it cuts the body of tokens to length and frames it with special tokens. */
import { ConfigError } from "@cloze/errors";
import type { Utf16Offsets } from "./code-point-offsets.ts";
import type { Encoding, EncodeOptions, EncodingIssues } from "./encoding.ts";

export interface EncodedBody {
  /** Buffer of ids, of which the first `count` are used. */
  readonly ids: Int32Array;
  /** Start and end of each token: two numbers per token. */
  readonly offsets: Utf16Offsets;
  readonly count: number;
}

/**
 * Joins `before`, the body and `after`. The frame's offsets are (0, 0). The body is cut at its end to fit `maxLength`.
 * Throws: ConfigError where `maxLength` is too small for the frame alone.
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
