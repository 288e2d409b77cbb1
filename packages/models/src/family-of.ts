/** All families, by `model_type` of config.json. Each row of the table loads its family on demand. */
import { FormatError, UnsupportedError } from "@cloze/errors";
import type { ModelFamily } from "./family.ts";

export const families: Readonly<Record<string, () => Promise<ModelFamily>>> = {
  bert: async () => (await import("./bert-family.ts")).bertFamily,
  modernbert: async () => (await import("./modernbert-family.ts")).modernBertFamily,
  esm: async () => (await import("./esm2-family.ts")).esm2Family,
  AMPLIFY: async () => (await import("./amplify-family.ts")).amplifyFamily,
  neobert: async () => (await import("./neobert-family.ts")).neoBertFamily,
  cloze_speedrun: async () => (await import("./speedrun-family.ts")).speedrunFamily,
};

/**
 * The family of a config.json. Throws FormatError if `json` is not an object, UnsupportedError for an unknown family.
 */
export async function familyOf(json: unknown, file = "config.json"): Promise<ModelFamily> {
  if (typeof json !== "object" || json === null || Array.isArray(json))
    throw new FormatError(file, "", `expected an object, got ${JSON.stringify(json)?.slice(0, 40)}.`);
  const { model_type: type } = json as { readonly model_type?: unknown };
  const load = typeof type === "string" && Object.hasOwn(families, type) ? families[type] : undefined;
  if (load === undefined)
    throw new UnsupportedError(
      `${file}, model_type: expected ${Object.keys(families)
        .map((name) => JSON.stringify(name))
        .join(
          " or ",
        )}, got ${type === undefined ? "nothing" : JSON.stringify(type)}. Other families cannot be opened yet.`,
    );
  return load();
}
