/**
 * The two encoding loops: text to ids with offsets, and bytes to ids at memory speed. Both use the same table of
 * actions and must agree.
 *
 * Cost: the byte loop does one load, one compare and one store per residue. Only counted characters take another path.
 */
import { ConfigError } from "@cloze/errors";
import type { IssueCounter } from "@cloze/tokenizer";
import { DROPPED, KIND, MULTIBYTE, REPLACED, STOP, UNKNOWN, type CharacterActions } from "./character-actions.ts";

const ASTERISK = 0x2a;

/** Counts one character by its action. A STOP counts as unknown, until `takeBackStop` corrects the count. */
function count(codePoint: number, action: number, issues: IssueCounter): void {
  const kind = action & KIND;
  if (kind === REPLACED) issues.replaced.add(codePoint);
  else if (kind === DROPPED) issues.dropped.add(codePoint);
  else if (kind === UNKNOWN || kind === STOP) issues.unknown.add(codePoint);
}

/** Corrects the counts for final `*`s: they are dropped, not unknown. */
function takeBackStops(count: number, issues: IssueCounter): void {
  issues.unknown.add(ASTERISK, -count);
  issues.dropped.add(ASTERISK, count);
}

export interface BodyWriter {
  readonly ids: Int32Array;
  readonly offsets: Int32Array;
  count: number;
}

/** Encodes `text[start, end)`, a text without special tokens, and adds the tokens to `body`. */
export function encodeText(
  actions: CharacterActions,
  text: string,
  start: number,
  end: number,
  body: BodyWriter,
  issues: IssueCounter,
): void {
  // Tokens [stopAt, stopEnd) are the last run of `*`.
  let stopAt = -1;
  let stopEnd = -1;
  for (let i = start; i < end;) {
    const codePoint = text.codePointAt(i) as number;
    const width = codePoint > 0xffff ? 2 : 1;
    const action = actions.of(codePoint);
    if (action > 0xff) count(codePoint, action, issues);
    if ((action & KIND) === STOP) {
      if (stopEnd !== body.count) stopAt = body.count;
      stopEnd = body.count + 1;
    }
    if ((action & KIND) !== DROPPED) {
      body.ids[body.count] = action & 0xff;
      body.offsets[2 * body.count] = i;
      body.offsets[2 * body.count + 1] = i + width;
      body.count++;
    }
    i += width;
  }
  if (stopAt >= 0 && stopEnd === body.count) {
    body.count = stopAt;
    takeBackStops(stopEnd - stopAt, issues);
  }
}

/** Encodes UTF-8 text `source[start, end)` into `out` from `at` on. Returns the number of ids. See ByteTokenizer. */
export function encodeBytes(
  actions: CharacterActions,
  source: Uint8Array,
  start: number,
  end: number,
  out: Uint8Array,
  at: number,
  issues: IssueCounter,
): number {
  if (!(start >= 0 && start <= end && end <= source.length)) {
    throw new ConfigError(
      `encodeBytes: expected a range within the ${source.length} bytes of source, got [${start}, ${end}).`,
    );
  }
  if (!(at >= 0 && out.length - at >= end - start)) {
    throw new ConfigError(
      `encodeBytes: expected room for ${end - start} ids in out, got ${out.length - at} (length ${out.length}, ` +
        `at ${at}). Pass a larger out.`,
    );
  }
  const table = actions.ofByte;
  const replaced = issues.replaced.ascii;
  const dropped = issues.dropped.ascii;
  let to = at;
  // Ids [stopAt, stopEnd) are the last run of `*`.
  let stopAt = -1;
  let stopEnd = -1;
  for (let i = start; i < end; i++) {
    const byte = source[i] as number;
    const action = table[byte] as number;
    if (action < REPLACED) {
      out[to++] = action;
    } else if (action < UNKNOWN) {
      replaced[byte] = (replaced[byte] as number) + 1;
      out[to++] = action & 0xff;
    } else if (action === DROPPED) {
      dropped[byte] = (dropped[byte] as number) + 1;
    } else if (action === MULTIBYTE) {
      const width = sequenceWidth(source, i, end);
      const codePoint = codePointAt(source, i, width);
      const wide = actions.of(codePoint);
      if (wide > 0xff) count(codePoint, wide, issues);
      if (wide !== DROPPED) out[to++] = wide & 0xff;
      i += width - 1;
    } else {
      issues.unknown.add(byte);
      if ((action & KIND) === STOP) {
        if (stopEnd !== to) stopAt = to;
        stopEnd = to + 1;
      }
      out[to++] = action & 0xff;
    }
  }
  if (stopAt >= 0 && stopEnd === to) {
    to = stopAt;
    takeBackStops(stopEnd - stopAt, issues);
  }
  return to - at;
}

/** Number of bytes of the UTF-8 sequence at `i`; 1 where no complete sequence of several bytes begins there. */
function sequenceWidth(source: Uint8Array, i: number, end: number): number {
  const lead = source[i] as number;
  const width = lead >= 0xc2 && lead < 0xe0 ? 2 : lead >= 0xe0 && lead < 0xf0 ? 3 : lead >= 0xf0 && lead < 0xf5 ? 4 : 1;
  for (let k = 1; k < width; k++) if (i + k >= end || ((source[i + k] as number) & 0xc0) !== 0x80) return 1;
  return width;
}

/** The code point of the sequence at `i`. A byte that is not UTF-8 gives U+FFFD, the replacement character. */
function codePointAt(source: Uint8Array, i: number, width: number): number {
  if (width === 1) return 0xfffd;
  let codePoint = (source[i] as number) & (0xff >> (width + 1));
  for (let k = 1; k < width; k++) codePoint = (codePoint << 6) | ((source[i + k] as number) & 0x3f);
  return codePoint > 0x10ffff ? 0xfffd : codePoint;
}
