/**
 * The preparation of shards in parts, by several processes, or by one process that may be interrupted. Each part of the
 * inputs is prepared on its own, and kept until the last process joins all parts. The result has the same bytes as the
 * result of one process in one go.
 *
 * A part is a file, or about `partBytes` of a plain FASTA file; gzip can only be read from its beginning. Rank r of w
 * prepares the parts r, r + w, …. The parts do not depend on w, and finished parts are kept, so that the same call goes
 * on after an interruption. The process that finds all parts done joins them (reads and writes them once more) and
 * removes them.
 *
 * Price: the disk holds the tokens twice while the parts are joined.
 */
import { ConfigError } from "@cloze/errors";
import { lock, tryLock } from "@cloze/lock";
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { isGzip, type FastaRange } from "../formats/fasta-range.ts";
import { PartReader, PartWriter, type PartIndex } from "./part-files.ts";
import { documentsOrigin, fillFromDocuments, sizesOf, type PrepareDocumentsOptions } from "./prepare-documents.ts";
import { fillFromFasta, type PreparedShards } from "./prepare-shards.ts";
import { sumCounts } from "./shard-counts.ts";
import type { ShardCounts } from "./shard-index.ts";
import {
  DEFAULT_SPLIT,
  SPLITS,
  checkedFolder,
  existingShards,
  formOf,
  makeShards,
  withoutRoom,
  type Settings,
} from "./shard-folder.ts";
import { writeWhole } from "./shard-writer.ts";
import { refusePipe, type DataSource } from "../corpus/sources.ts";
import { isShuffled, splitterOf } from "../corpus/splitter.ts";

export interface PreparePartsOptions extends PrepareDocumentsOptions {
  /** The number of this process, from 0, and the number of processes. */
  readonly rank: number;
  readonly world: number;
  /** Bytes of plain FASTA in a part. Default 1e9. */
  readonly partBytes?: number;
}

export interface PreparedParts {
  /** The number of parts of all processes, and the number of these parts that are done. */
  readonly parts: number;
  readonly done: number;
  /** Parts of this process that were done before this call. */
  readonly kept: number;
  /**
   * The shards, if this process joined the parts or found the shards. Undefined if other processes still prepare parts,
   * or if one of them joins the parts.
   */
  readonly shards?: PreparedShards;
}

interface Part {
  readonly source: DataSource;
  readonly range: FastaRange | undefined;
  /** The number of records in the earlier sources, if the split needs it. */
  readonly firstRecord: number;
}

/**
 * Prepares the parts of this rank, and joins all parts if all are done. Filters must not look for duplicates, because
 * duplicates may lie in different parts.
 */
export async function prepareParts(options: PreparePartsOptions): Promise<PreparedParts> {
  const { sources, rank, world, partBytes = 1e9, filter, reading, out, overwrite = false } = options;
  if (!Number.isInteger(world) || world < 1 || !Number.isInteger(rank) || rank < 0 || rank >= world)
    throw new ConfigError(`prepareParts: expected a rank from 0 to world - 1, got rank ${rank} and world ${world}.`);
  if (!(partBytes >= 1)) throw new ConfigError(`prepareParts: expected partBytes to be at least 1, got ${partBytes}.`);
  if (filter?.dedup === true)
    throw new ConfigError(
      "prepareParts: expected filters that look at one document, got dedup, for which all have to be seen. " +
        "Prepare in one process.",
    );
  // FASTA without filters gives the shards that `prepareShards` gives.
  const bytesOnly = filter === undefined && sources.every(({ format }) => format === "fasta");
  const whole = documentsOrigin(options);
  const origin = bytesOnly ? { inputs: whole.inputs } : whole;
  const { name, path, settings } = checkedFolder(options, origin);
  for (const source of sources) refusePipe(source, "its parts are read by several processes");
  const existing = await existingShards(options, path, settings);
  if (existing !== undefined) return { parts: 0, done: 0, kept: 0, shards: existing };
  const parts = await partsOf(options, bytesOnly ? partBytes : Infinity);
  const folder = join(out, `${name}.parts`);
  openParts(folder, settings, parts, overwrite);
  const splitter = await splitterOf(options.split ?? DEFAULT_SPLIT, () => sizesOf(sources, reading));
  const fileOf = (part: number): string => join(folder, `part-${String(part).padStart(6, "0")}.json`);
  const isDone = (part: number): boolean => existsSync(fileOf(part));
  let kept = 0;
  for (let part = rank; part < parts.length; part += world) {
    if (isDone(part)) {
      kept++;
      continue;
    }
    const writer = lock(fileOf(part).replace(/json$/, "lock"), "prepareParts", `part ${part} in ${folder}`);
    const { source, range, firstRecord } = parts[part] as Part;
    const writers = new PartWriter({
      folder,
      part,
      sentences: origin.reading !== undefined,
      ...formOf(options.tokenizer),
    });
    try {
      const { tokenizer, onProgress } = options;
      const counts =
        range !== undefined
          ? await fillFromFasta({
              ranges: [range],
              tokenizer,
              splitter,
              writers,
              maxRecord: reading?.maxRecord,
              ...(onProgress === undefined
                ? {}
                : {
                    onProgress: ({ bytesRead, records }) =>
                      onProgress({
                        source: source.name,
                        bytesRead,
                        bytesTotal: (range.until ?? source.bytes) - (range.from ?? 0),
                        documents: records,
                      }),
                  }),
            })
          : await fillFromDocuments({ ...options, sources: [source], splitter, writers, firstRecord });
      writeWhole(fileOf(part), JSON.stringify({ splits: writers.finish(), counts } satisfies PartIndex));
    } catch (error) {
      writers.abandon();
      throw withoutRoom(error, out);
    } finally {
      writer.release();
      closeParts(folder);
    }
  }
  const done = parts.filter((_, part) => isDone(part)).length;
  const state = { parts: parts.length, done, kept };
  if (done < parts.length) return state;
  const joiner = tryLock(join(folder, "join.lock"));
  if (joiner === undefined) return state;
  try {
    const shards = await makeShards(options, origin, async (writers) => {
      const indexes = parts.map((_, part) => JSON.parse(readFileSync(fileOf(part), "utf8")) as PartIndex);
      for (const split of SPLITS)
        for (const [part, index] of indexes.entries())
          new PartReader(folder, part, split, formOf(options.tokenizer)).copy(index.splits[split], writers[split]);
      return sumCounts(countsInFiles(parts, indexes));
    });
    rmSync(folder, { recursive: true });
    return { ...state, shards };
  } finally {
    joiner.release();
  }
}

/** The counts of the parts, with the records of a part counted from the beginning of its file. */
function countsInFiles(parts: readonly Part[], indexes: readonly PartIndex[]): readonly ShardCounts[] {
  let before = 0;
  return indexes.map(({ counts }, i) => {
    before = parts[i]?.source === parts[i - 1]?.source ? before + (indexes[i - 1]?.counts.records ?? 0) : 0;
    const { innerStops } = counts;
    if (innerStops === undefined) return counts;
    const { first } = innerStops;
    return { ...counts, innerStops: { ...innerStops, first: { ...first, record: first.record + before } } };
  });
}

async function partsOf(
  { sources, reading, split = DEFAULT_SPLIT }: PreparePartsOptions,
  partBytes: number,
): Promise<readonly Part[]> {
  const sizes = isShuffled(split) ? await sizesOf(sources, reading) : [];
  const parts: Part[] = [];
  let firstRecord = 0;
  for (const [i, source] of sources.entries()) {
    const path = partBytes === Infinity || !("path" in source.place) ? undefined : source.place.path;
    if (path === undefined) parts.push({ source, range: undefined, firstRecord });
    else if (isShuffled(split))
      throw new ConfigError(
        "prepareParts: expected Parquet for a split by row, whose rows are counted without reading them, got " +
          `${source.name}. Prepare in one process, or split by content.`,
      );
    else if (isGzip(path)) parts.push({ source, range: { file: path }, firstRecord });
    else
      for (let from = 0; from < Math.max(1, source.bytes); from += partBytes)
        parts.push({
          source,
          range: { file: path, from, until: from + partBytes >= source.bytes ? Infinity : from + partBytes },
          firstRecord,
        });
    firstRecord += sizes[i]?.records ?? 0;
  }
  return parts;
}

/**
 * Removes the folder of parts if no part is done and nobody is at one: a preparation of mended inputs may then begin.
 */
function closeParts(folder: string): void {
  const busyOrDone = (file: string): boolean => /^part-\d+\.(json|lock)$/.test(file);
  if (!readdirSync(folder).some(busyOrDone)) rmSync(folder, { recursive: true });
}

/** Makes the folder of parts, or checks that an existing folder is of the same settings and parts. */
function openParts(folder: string, settings: Settings, parts: readonly Part[], overwrite: boolean): void {
  const plan = JSON.stringify({ settings, parts: parts.map(({ source, range }) => [source.name, range?.from ?? 0]) });
  const file = join(folder, "plan.json");
  if (existsSync(file)) {
    if (readFileSync(file, "utf8") === plan) return;
    if (!overwrite)
      throw new ConfigError(
        `prepareParts: ${folder} holds parts of other inputs or settings. Give those to go on with it, choose ` +
          "another name or folder, or pass overwrite: true.",
      );
    const busy = readdirSync(folder).find((each) => each.endsWith(".lock"));
    if (busy !== undefined)
      throw new ConfigError(
        `prepareParts: expected nobody at the parts that are to be replaced, got ${join(folder, busy)}. Wait for ` +
          "it; if its process is gone, remove the file.",
      );
    rmSync(folder, { recursive: true });
  }
  mkdirSync(folder, { recursive: true });
  writeWhole(file, plan);
}
