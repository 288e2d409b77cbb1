/**
 * The path of a checkpoint that the user names. A file or folder of this name on this machine wins. Otherwise a name
 * that looks like one of the Hugging Face Hub is a model there, which is downloaded into the cache that Python shares.
 * Any other name is a missing path.
 */
import { stat } from "node:fs/promises";
import { ClozeError, ConfigError } from "@cloze/errors";
import type { Context } from "./command.ts";
import { bytes } from "./output.ts";
import { isMissingPath, whatInstead } from "./missing-path.ts";
import { didYouMean } from "./suggest.ts";

export type Place = Pick<Context, "path" | "io" | "note" | "status">;

/**
 * `given` itself, or the folder of the Hub's model of this name. `where` is the flag, for error messages. `known` lists
 * names with another meaning. Throws ConfigError for a missing path, and if the download fails.
 */
export async function checkpointPath(
  given: string,
  place: Place,
  { where, known = [] }: { readonly where: string; readonly known?: readonly string[] },
): Promise<string> {
  if (known.includes(given) || (!given.includes("/") && didYouMean(given, known) !== "")) return given;
  if ((await stat(place.path(given)).catch(() => undefined)) !== undefined) return given;
  const { looksLikeRepo, parseRepoName } = await import("@cloze/hub");
  const { hasFileEnding } = await import("@cloze/data/node");
  const named = given.includes("@");
  if (!looksLikeRepo(given) || (!named && (hasFileEnding(given) || (await isMissingPath(given, place.path))))) {
    const expected = [...known, "a checkpoint folder"].join(", ").replace(/, ([^,]*)$/, " or $1");
    throw new ConfigError(
      `${where} ${given}: expected ${expected}, found nothing there.${await whatInstead(given, place.path)}` +
        (parseRepoName(given) === undefined || hasFileEnding(given)
          ? ""
          : ` A model of the Hub is written OWNER/NAME, or ${given.includes("/") ? given : "NAME"}@main.`),
    );
  }
  try {
    return (await downloadModel(given, undefined, place)).folder;
  } catch (cause) {
    if (!ClozeError.isInstance(cause) || cause.kind === "internal") throw cause;
    throw new ConfigError(
      `${where} ${given}: expected a checkpoint folder, found nothing there; and as a model of the Hub: ` +
        `${cause.message}`,
      { cause },
    );
  }
}

export interface Downloaded {
  readonly folder: string;
  readonly commit: string;
  readonly downloadedBytes: number;
}

/** Downloads a model of the Hub with the environment's settings, and shows the progress. */
export async function downloadModel(
  name: string,
  revision: string | undefined,
  { io, note, status }: Omit<Place, "path">,
): Promise<Downloaded> {
  const { hubSettings, resolveModel } = await import("@cloze/hub");
  const line = status();
  try {
    return await resolveModel(name, {
      ...hubSettings(io.env),
      onNote: note,
      ...(revision !== undefined && { revision }),
      onProgress: ({ file, bytes: done, totalBytes }) =>
        line.update(
          totalBytes === 0 ? 1 : done / totalBytes,
          `${name}: ${file}, ${bytes(done)} of ${bytes(totalBytes)}`,
        ),
    });
  } finally {
    line.finish();
  }
}
