/** A reader of JSON files, with errors that name the file and the fault. */
import { FormatError } from "@cloze/errors";

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: JsonValue;
}

export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Describes a value in words, for a message. */
export function describeJson(value: JsonValue | undefined): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  if (Array.isArray(value)) return `a list of ${value.length}`;
  return typeof value === "object" ? "an object" : `the ${typeof value} ${JSON.stringify(value)}`;
}

/** Parses a file that holds one JSON object. Throws: FormatError with the parser's message and the next step. */
export function parseJsonObject(text: string, file: string): JsonObject {
  let value: JsonValue;
  try {
    value = JSON.parse(text.replace(/^\ufeff/, "")) as JsonValue;
  } catch (cause) {
    const said = cause instanceof Error ? cause.message : String(cause);
    throw new FormatError(
      file,
      "",
      `expected JSON, but ${said}. Was the download cut short, or is it a Git LFS pointer? Fetch the file again.`,
      { cause },
    );
  }
  if (!isJsonObject(value))
    throw new FormatError(
      file,
      "",
      `expected a JSON object at the top, got ${describeJson(value)}. Is it another file under this name?`,
    );
  return value;
}
