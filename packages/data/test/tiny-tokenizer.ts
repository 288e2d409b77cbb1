/** A protein tokenizer for tests: ids 0 start, 1 pad, 2 end, 3 unknown, then residues. A final `*` is dropped. */
import { IssueCounter } from "@cloze/tokenizer";
import type { DataTokenizer } from "../src/shards/token-buffer.ts";

const RESIDUES = "LAGVSERTIDPKQNFYMHWCXBUZO";

export const vocabulary: readonly string[] = ["<cls>", "<pad>", "<eos>", "<unk>", ...RESIDUES];

/** `fast: false` hides `encodeBytes`, like a tokenizer that has none. */
export function tinyTokenizer(options: { readonly fast?: boolean } = {}): DataTokenizer & {
  readonly special: { readonly pad: number; readonly start: number; readonly end: number; readonly unknown: number };
} {
  const encodeBytes = (
    source: Uint8Array,
    start: number,
    end: number,
    out: Uint8Array,
    at: number,
    issues: IssueCounter,
  ): number => {
    let to = at;
    for (let i = start; i < end; i++) {
      const byte = source[i] as number;
      const id = vocabulary.indexOf(String.fromCharCode(byte).toUpperCase());
      if (byte === 42 && i === end - 1) issues.dropped.add(byte);
      else if (id < 0) {
        issues.unknown.add(byte);
        out[to++] = 3;
      } else out[to++] = id;
    }
    return to - at;
  };
  return {
    name: "tiny",
    hash: "0123456789abcdef",
    vocabulary,
    special: { start: 0, pad: 1, end: 2, unknown: 3 },
    encode(text) {
      const source = new TextEncoder().encode(text);
      const out = new Uint8Array(source.length);
      const issues = new IssueCounter();
      const ids = Int32Array.from(out.subarray(0, encodeBytes(source, 0, source.length, out, 0, issues)));
      return { ids, offsets: new Int32Array(2 * ids.length), truncated: 0, issues: issues.issues() };
    },
    ...(options.fast === false ? {} : { encodeBytes }),
  };
}

/** The text of token ids. */
export function textOf(tokens: ArrayLike<number>): string {
  return Array.from(tokens, (id) => vocabulary[id] ?? "?").join("");
}

/** A reproducible protein. `index` chooses the content and the length. */
export function protein(index: number, longest: number = 200): string {
  let state = (index * 2654435761 + 12345) >>> 0;
  const next = (): number => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0);
  const length = 1 + ((next() >>> 8) % longest);
  return Array.from({ length }, () => RESIDUES[(next() >>> 10) % 20]).join("");
}

export function fastaText(count: number, longest?: number): string {
  return Array.from(
    { length: count },
    (_, i) => `>p${i} protein\n${protein(i, longest).replace(/.{60}/g, "$&\n")}\n`,
  ).join("");
}
