/**
 * The change of a checkpoint to another tokenizer. A token that both vocabularies have, by its text or by its role,
 * keeps its rows, whatever its ids are.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Resized } from "@cloze/checkpoint/node";
import type { SpecialIds, Tokenizer } from "@cloze/tokenizer";
import { loadModel, type LoadedModel } from "./model-files.ts";
import { counted } from "./output.ts";
import { holdsTokenizer, tokenizerOfFolder } from "./tokenizers.ts";

const ROLES: readonly (keyof SpecialIds)[] = ["pad", "unknown", "mask", "start", "end"];

/** Keys of config.json for the special tokens, each with its role. */
const KEYS: Readonly<Record<string, keyof SpecialIds>> = {
  pad_token_id: "pad",
  unk_token_id: "unknown",
  mask_token_id: "mask",
  cls_token_id: "start",
  bos_token_id: "start",
  sep_token_id: "end",
  eos_token_id: "end",
};

/** Writes the checkpoint `dir` to `output`, changed from its tokenizer `before` to the tokenizer `after`. */
export async function resizeFor(
  dir: string,
  output: string,
  before: Tokenizer,
  after: Tokenizer,
  seed: number,
): Promise<Resized> {
  const { resizeCheckpoint } = await import("@cloze/checkpoint/node");
  const same = new Map<string, string>();
  for (const role of ROLES) {
    const ours = before.vocabulary[before.special[role] ?? -1];
    const theirs = after.vocabulary[after.special[role] ?? -1];
    if (ours !== undefined && theirs !== undefined && before.idOf(theirs) === undefined) same.set(theirs, ours);
  }
  const ids = Object.fromEntries(
    Object.entries(KEYS).flatMap(([key, role]) =>
      after.special[role] === undefined ? [] : [[key, after.special[role]]],
    ),
  );
  return resizeCheckpoint(dir, output, {
    before: before.vocabulary,
    after: after.vocabulary,
    same,
    seed,
    ids,
    tokenizerFiles: after.files(),
  });
}

/** The change in words: `12 tokens kept, 3 tokens new, 2 of old gone`. */
export function changeOf({ kept, added, dropped }: Resized): string {
  return `${counted(kept, "token")} kept, ${counted(added.length, "token")} new, ${dropped.length} of old gone`;
}

/**
 * A checkpoint for further training with `tokenizer`. If this is not the checkpoint's own tokenizer, the loaded weights
 * fit the new vocabulary, and `said` tells the change.
 */
export async function loadFor(
  dir: string,
  tokenizer: Tokenizer,
  seed: number,
): Promise<{ readonly loaded: LoadedModel; readonly said: readonly string[] }> {
  const own = (await holdsTokenizer(dir)) ? await tokenizerOfFolder(dir) : undefined;
  const same = own === undefined || JSON.stringify(own.vocabulary) === JSON.stringify(tokenizer.vocabulary);
  if (same) return { loaded: await loadModel(dir), said: [] };
  const folder = await mkdtemp(join(tmpdir(), "cloze-resized-"));
  try {
    const resized = await resizeFor(dir, join(folder, "checkpoint"), own, tokenizer, seed);
    const loaded = await loadModel(join(folder, "checkpoint"));
    return { loaded: { ...loaded, dir }, said: [`${dir}: another tokenizer: ${changeOf(resized)}`] };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
