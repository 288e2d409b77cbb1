/**
 * Names that the user gave and that are nothing on this machine: whether such a name may be one of the Hugging Face
 * Hub, and what to say of it if not.
 *
 * The Hub is asked only for what looks like its names. Anything else is a path, and a missing path is told at once,
 * with the nearest name that is there.
 */
import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { ConfigError } from "@cloze/errors";
import { nearest } from "./suggest.ts";

type Resolve = (given: string) => string;

const exists = async (path: string): Promise<boolean> => (await stat(path).catch(() => undefined)) !== undefined;

const GLOB = /[*?]|\[[^\]]+\]|\{[^}]*,[^}]*\}/;

/**
 * Whether a missing name of the form `owner/name` is rather a path: its first part is a folder here, or near to a
 * folder that has the rest.
 */
export async function isMissingPath(given: string, path: Resolve): Promise<boolean> {
  const [owner = "", name] = given.split("/");
  if (name === undefined) return false;
  return (await exists(path(owner))) || (await nearPath(given, path)) !== undefined;
}

/** Throws ConfigError if there is no such file. `-` is standard input. */
export async function expectFile(given: string, path: Resolve, where: string): Promise<void> {
  if (given === "-" || (await exists(path(given)))) return;
  throw new ConfigError(`${where} ${given}: expected a file, found nothing there.${await whatInstead(given, path)}`);
}

/** A sentence for the end of the message about a missing path: what is wrong with it, or what is near. */
export async function whatInstead(given: string, path: Resolve): Promise<string> {
  if (GLOB.test(given)) return patternInWords(given, path);
  if (/^~[/\\]/.test(given)) return " The shell left ~ as it is: write the whole path.";
  const near = await nearPath(given, path);
  if (near !== undefined) return ` Did you mean ${near}?`;
  const parent = dirname(given);
  return (await exists(path(parent))) ? " Check the path." : ` There is no folder ${parent}. Check the path.`;
}

/** The path that is there and whose parts are those of the given one, or near to them. */
async function nearPath(given: string, path: Resolve): Promise<string | undefined> {
  const parts = given.split(/(?<=[^/])\/+/);
  let place = "";
  for (const part of parts) {
    const exact = place === "" ? part : join(place, part);
    if (await exists(path(exact))) {
      place = exact;
      continue;
    }
    const found = nearest(basename(part), await names(path(dirname(exact)), part));
    if (found === undefined) return undefined;
    place = join(dirname(exact), found);
  }
  // `join` drops the dot of ./a
  return given.startsWith("./") && !place.startsWith("./") ? `./${place}` : place;
}

/** The names in a folder; hidden ones only for a word that begins with a dot. */
async function names(folder: string, word: string): Promise<readonly string[]> {
  const all = await readdir(folder).catch(() => []);
  return all.filter((name) => word.startsWith(".") || !name.startsWith(".")).sort();
}

async function patternInWords(given: string, path: Resolve): Promise<string> {
  const matches = await matching(basename(given), dirname(given), path);
  const [first] = matches;
  const found =
    first === undefined
      ? "nothing here matches it"
      : `${matches.length === 1 ? "1 file matches" : `${matches.length} files match`} it here, such as ${first}`;
  return ` The shell left this pattern as it is, and ${found}. Leave out its quotes, or name the files.`;
}

/** The files of a folder that match a pattern of a shell, in which only the last part is one. */
async function matching(pattern: string, folder: string, path: Resolve): Promise<readonly string[]> {
  const source = pattern
    .replace(/[.+^$()|\\]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  const braces = source.replace(/\{([^}]*)\}/g, (_, list: string) => `(?:${list.replaceAll(",", "|")})`);
  let matcher: RegExp;
  try {
    matcher = new RegExp(`^${braces.replaceAll("[!", "[^")}$`);
  } catch {
    return [];
  }
  const all = await names(path(folder), pattern);
  return all.filter((name) => matcher.test(name)).map((name) => (folder === "." ? name : join(folder, name)));
}
