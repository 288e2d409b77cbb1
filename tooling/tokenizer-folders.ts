/**
 * The folders of tokenizer files that tooling/golden/tokenizer-files.py has opened with Python `transformers`, and the
 * comparison of a tokenizer with what Python made of one of them.
 */
import { readFileSync } from "node:fs";
import { expect } from "vitest";
import type { Tokenizer } from "../packages/tokenizer/src/index.ts";

export interface Folder {
  readonly files: Readonly<Record<string, string>>;
  readonly class: string;
  /** The largest id + 1. */
  readonly length: number;
  /** Id, special, single_word, lstrip, rstrip of each added token. */
  readonly added: Readonly<Record<string, readonly number[]>>;
  readonly special: readonly number[];
  readonly cases: readonly {
    readonly text: string;
    readonly ids: readonly number[];
    /** In code points, two for each token. Absent for Python's slow classes, which have none. */
    readonly offsets?: readonly number[];
  }[];
}

export function goldenFolders(file: URL): readonly Folder[] {
  const golden = JSON.parse(readFileSync(file, "utf8")) as {
    readonly shared: Readonly<Record<string, unknown>>;
    readonly folders: readonly Folder[];
  };
  const whole = (content: string): string => {
    let text = content;
    for (const [name, value] of Object.entries(golden.shared)) {
      if (text === `"@${name}"` && typeof value === "string") return value;
      text = text.replace(`"@${name}"`, () => JSON.stringify(value));
    }
    return text;
  };
  return golden.folders.map((folder) => ({
    ...folder,
    files: Object.fromEntries(Object.entries(folder.files).map(([name, content]) => [name, whole(content)])),
  }));
}

/** Compares ids, offsets, special tokens and added tokens, of the tokenizer and of the one that its files give. */
export function expectPython(folder: Folder, tokenizer: Tokenizer, read: (files: Folder["files"]) => Tokenizer): void {
  const again = read(tokenizer.files());
  expect(again.hash).toBe(tokenizer.hash);
  for (const [content, [id]] of Object.entries(folder.added)) expect(tokenizer.idOf(content), content).toBe(id);
  expect([...tokenizer.specialIds]).toEqual(expect.arrayContaining([...folder.special]));
  for (const { text, ids, offsets } of folder.cases) {
    const encoding = tokenizer.encode(text);
    expect([...encoding.ids], text).toEqual(ids);
    expect([...again.encode(text).ids], text).toEqual(ids);
    if (offsets !== undefined)
      expect(
        Array.from(encoding.offsets, (at) => Array.from(text.slice(0, at)).length),
        text,
      ).toEqual(offsets);
  }
}
