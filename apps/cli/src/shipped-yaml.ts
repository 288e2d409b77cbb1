/**
 * YAML files of two sources: files in a folder of this package, opened by name, and files of the user, opened by path.
 */
import { readdir, stat } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { ConfigError } from "@cloze/errors";
import { didYouMean } from "./suggest.ts";
import { wholeText } from "./whole-text.ts";

const EXTENSION = ".yaml";

export interface ShippedYaml {
  /** The folder in the package. */
  readonly folder: "recipes" | "speedrun";
  /** What a file holds, for messages: `recipe`. */
  readonly what: string;
  /** A sentence for messages that says where to read more. */
  readonly help: string;
}

const placeOf = ({ folder }: ShippedYaml): string => fileURLToPath(new URL(`../${folder}/`, import.meta.url));

/** Names of the files in the package. Numbers within names are sorted by size. */
export async function shippedNames(kind: ShippedYaml): Promise<readonly string[]> {
  return (await readdir(placeOf(kind)))
    .filter((file) => file.endsWith(EXTENSION))
    .map((file) => file.slice(0, -EXTENSION.length))
    .sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
}

/** A file of the package by its name, or a file of the user by its path. Throws ConfigError if there is neither. */
export async function readShipped(
  given: string,
  kind: ShippedYaml,
  path: (given: string) => string,
): Promise<{ readonly text: string; readonly file: string }> {
  const { what, help } = kind;
  const isFile = /\.ya?ml$|[/\\]/.test(given);
  const file = isFile ? path(given) : placeOf(kind) + given + EXTENSION;
  await stat(file).catch(async (cause: NodeJS.ErrnoException) => {
    if (isFile)
      throw new ConfigError(
        `${what} ${given}: expected a YAML file there, got ` +
          `${cause.code === "ENOENT" ? "nothing" : cause.message}. ${help}`,
        { cause },
      );
    const names = await shippedNames(kind);
    throw new ConfigError(
      `${what} ${given}: expected one of ${names.join(", ")}, or a .yaml file, got ` +
        `neither.${didYouMean(given, names)} ${help}`,
      { cause },
    );
  });
  return { text: await wholeText(file, given), file };
}
