/**
 * The comparison of what a run reads with what it read when it began. A resumed run of other data is refused, unless
 * the user accepts the change; the run then keeps a record of it.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import type { Dataset } from "@cloze/data";
import { ConfigError } from "@cloze/errors";
import { CONFIG_FILE } from "./run-folder.ts";
import {
  differences,
  expectUntouched,
  InputReader,
  readInputs,
  writeInputs,
  type InputRole,
  type RunInput,
} from "./run-inputs.ts";

export interface InputsRequest {
  readonly run: string;
  readonly resuming: boolean;
  /** `--accept-changed-data`. */
  readonly accept: boolean;
  /** Roles that a run does not read again once it has a checkpoint: such files may be gone. */
  readonly mayBeGone?: readonly InputRole[];
  /** All that the run reads, its saved options aside. */
  readonly collect: (reader: InputReader) => Promise<readonly RunInput[]>;
}

export interface CheckedInputs {
  /** Lines for the user. */
  readonly said: readonly string[];
  /**
   * Compares once more when all is read: files that changed meanwhile, and data from pipes, whose content is known only
   * now.
   */
  settle(content: () => Promise<string>): Promise<void>;
  /** Writes the record, when the run's options are written. Returns the accepted changes, for the log. */
  record(step: number): Promise<string | undefined>;
}

/** Throws ConfigError if the run would read something else than before, and the user has not accepted it. */
export async function checkInputs(request: InputsRequest): Promise<CheckedInputs> {
  const { run, resuming, accept, mayBeGone = [], collect } = request;
  if (accept && !resuming)
    throw new ConfigError("--accept-changed-data: expected it with --resume, got a new run. Leave it out.");
  const before = resuming ? await readInputs(run) : undefined;
  const reader = new InputReader(before?.inputs);
  const config = join(run, CONFIG_FILE);
  let now = [...(await collect(reader)), ...(resuming ? [await reader.file("options", config)] : [])];
  const changes = new Set<string>();
  const compare = (known: readonly RunInput[]): void => {
    const there = known.filter(({ role }) => !mayBeGone.includes(role) || now.some((input) => input.role === role));
    const found = differences(there, now);
    if (found.length > 0 && !accept) throw refused(run, found);
    for (const each of found) changes.add(each);
  };
  const unread = (input: RunInput): RunInput => (input.kind === "stream" ? { ...input, id: "" } : input);
  if (before !== undefined) compare(before.inputs.map(unread));
  return {
    said: [
      ...(resuming && before === undefined
        ? ["this run has no record of the data it began with: its files are taken as they are, and recorded now"]
        : []),
      ...[...changes].map((each) => `accepted: ${each}`),
    ],
    async settle(content) {
      await expectUntouched(now.filter(({ kind }) => kind === "sha256"));
      if (!now.some(({ kind }) => kind === "stream")) return;
      const id = await content();
      now = now.map((input) => (input.kind === "stream" ? { ...input, id } : input));
      if (before !== undefined) compare(before.inputs);
    },
    async record(step) {
      const inputs = [...now.filter(({ role }) => role !== "options"), await reader.file("options", config)];
      const list = [...changes];
      const accepted = list.length === 0 ? [] : [{ at: new Date().toISOString(), step, changes: list }];
      await writeInputs(run, inputs, [...(before?.accepted ?? []), ...accepted]);
      return list.length === 0 ? undefined : list.join("; ");
    },
  };
}

const SHOWN = 5;

function refused(run: string, found: readonly string[]): ConfigError {
  const more = found.length > SHOWN ? `; and ${found.length - SHOWN} more` : "";
  return new ConfigError(
    `--resume ${run}: expected what the run began with, got changes: ${found.slice(0, SHOWN).join("; ")}${more}. Put ` +
      "the old files back, start a new run with --from, or go on with the change: --accept-changed-data",
  );
}

/** SHA-256 of the examples of data sets, in order. */
export async function contentOf(datasets: readonly Dataset[]): Promise<string> {
  const hash = createHash("sha256");
  for (const dataset of datasets) {
    hash.update(`${dataset.size}\n`);
    for (let i = 0; i < dataset.size; i++) hash.update(`${(await dataset.read(i)).join(" ")}\n`);
  }
  return hash.digest("hex");
}

/** SHA-256 of records, in order. */
export function contentOfRecords(records: readonly object[]): string {
  const hash = createHash("sha256");
  const plain = (_: string, value: unknown): unknown => (typeof value === "bigint" ? `${value}` : value);
  for (const record of records) hash.update(`${JSON.stringify(record, plain)}\n`);
  return hash.digest("hex");
}
