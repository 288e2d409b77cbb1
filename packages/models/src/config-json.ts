/**
 * The common part of the config.json of every family. A table maps keys to fields; all other keys are kept as they are.
 *
 * Missing values take the default from the table: the default of transformers' own class. So a config.json means the
 * same here and in transformers.
 */
import { FormatError } from "@cloze/errors";
import { refuseForeignKeys } from "./config-keys.ts";

/**
 * A field here, its key in config.json, and the default of a missing key (undefined: the key is required). The type of
 * the default is the type of the field. "or null": null has the meaning of a missing key; otherwise null is refused, as
 * transformers refuses it.
 */
export type FieldTable = Readonly<
  Record<string, readonly [key: string, missing: number | boolean | undefined, nullable?: "or null"]>
>;

/** The fields of a table: a boolean where the default is a boolean, else a number. */
export type Fields<T extends FieldTable> = { readonly [K in keyof T]: T[K][1] extends boolean ? boolean : number };

type Json = Readonly<Record<string, unknown>>;

/**
 * Throws FormatError if `json` is not an object of this `model_type`, UnsupportedError for the keys of another model
 * (`refuseForeignKeys`).
 */
export function configObject(json: unknown, type: string, file: string): Json {
  if (typeof json !== "object" || json === null || Array.isArray(json))
    throw new FormatError(
      file,
      "",
      `expected an object, got ${json === null ? "null" : Array.isArray(json) ? "an array" : typeof json}.`,
    );
  const given = json as Json;
  if (given["model_type"] !== type)
    throw new FormatError(
      file,
      "model_type",
      `expected "${type}", got ${JSON.stringify(given["model_type"])}. Another model of @cloze/models may open it.`,
    );
  refuseForeignKeys(given, type, file);
  return given;
}

/**
 * Reads the fields of a table. Throws FormatError for a value of another type, and for a missing value without default.
 */
export function readFields<T extends FieldTable>(given: Json, table: T, file: string): Fields<T> {
  return Object.fromEntries(
    Object.entries(table).map(([field, [key, missing, nullable]]) => {
      const value = given[key] === undefined || (given[key] === null && nullable) ? missing : given[key];
      const kind = typeof missing === "boolean" ? "boolean" : "number";
      if (typeof value !== kind)
        throw new FormatError(
          file,
          key,
          `expected a ${kind}, got ${value === undefined ? "nothing" : JSON.stringify(value)}.`,
        );
      return [field, value];
    }),
  ) as Fields<T>;
}

/** The inverse of `readFields`. */
export function writeFields<T extends FieldTable>(fields: Fields<T>, table: T): Record<string, unknown> {
  return Object.fromEntries(Object.entries(table).map(([field, [key]]) => [key, fields[field]]));
}

/** Keys without a meaning here; undefined where there are none. */
export function otherKeys(given: Json, known: readonly string[]): Json | undefined {
  const entries = Object.entries(given).filter(([key]) => !known.includes(key));
  return entries.length > 0 ? Object.fromEntries(entries) : undefined;
}

/** Keys that Python types as floats: transformers 5 refuses a config.json with `0` instead of `0.0` for one of them. */
const FLOATS = [
  "layer_norm_eps",
  "norm_eps",
  "rope_theta",
  "hidden_dropout_prob",
  "attention_probs_dropout_prob",
  "attention_dropout",
  "embedding_dropout",
  "mlp_dropout",
  "classifier_dropout",
  "initializer_range",
  "initializer_cutoff_factor",
];

/** The text of a config.json. JSON.stringify alone would write 0.0 as an integer. */
export function configText(json: Json): string {
  const whole = new RegExp(`^(  "(?:${FLOATS.join("|")})": -?\\d+)(,?)$`, "gm");
  return `${JSON.stringify(json, null, 2).replace(whole, "$1.0$2")}\n`;
}
