/**
 * A checkpoint for another tokenizer: tokens keep their rows, by their text or by their role, whatever their ids are.
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

/** config.json's keys for the special tokens, by role. */
const KEYS: Readonly<Record<string, keyof SpecialIds>> = {
  pad_token_id: "pad",
  unk_token_id: "unknown",
  mask_token_id: "mask",
  cls_token_id: "start",
  bos_token_id: "start",
  sep_token_id: "end",
  eos_token_id: "end",
};

/** Writes `output`: the checkpoint `dir`, whose tokenizer is `before`, for `after`. */
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

/** `12 tokens have new rows, 3 of old are gone`. */
export function changeOf({ kept, added, dropped }: Resized): string {
  return `${counted(kept, "token")} kept, ${counted(added.length, "token")} new, ${dropped.length} of old gone`;
}

/** A checkpoint to go on from with a tokenizer that may be another than its own. */
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
