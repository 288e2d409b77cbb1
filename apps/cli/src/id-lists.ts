/** Reader of token ids from JSON, a list of lists: `[[0, 20, 15, 2], [0, 5, 2]]`. */
import { FormatError } from "@cloze/errors";
import type { Io } from "./io.ts";
import { wholeText } from "./whole-text.ts";

/**
 * Reads ids in [0, end). Throws FormatError with the file and the place of the first entry that is not an id. `noun`
 * names an id in messages.
 */
export async function readIdLists(
  path: string,
  shown: string,
  end: number,
  noun = "token id",
  stdin?: Io["stdin"],
): Promise<readonly (readonly number[])[]> {
  const text = await wholeText(path, shown, stdin);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new FormatError(
      shown,
      "",
      `expected JSON, got ${JSON.stringify(text.slice(0, 30))}: ` +
        `${cause instanceof Error ? cause.message : String(cause)}.`,
      { cause },
    );
  }
  return idLists(json, shown, end, noun);
}

export function idLists(json: unknown, file: string, end: number, noun = "token id"): readonly (readonly number[])[] {
  const fail = (place: string, message: string): never => {
    throw new FormatError(file, place, message);
  };
  if (!Array.isArray(json))
    return fail("", `expected a list of lists of ${noun}s, such as [[0, 20, 15, 2]], got ${kind(json)}.`);
  if (json.length === 0) return fail("", `expected at least one list of ${noun}s, got an empty list.`);
  const lists: readonly unknown[] = json;
  if (lists.every((each) => typeof each === "number"))
    return fail("", `expected a list of lists of ${noun}s, got one list of numbers. Put it into brackets once more.`);
  return lists.map((list, row) => {
    if (!Array.isArray(list)) return fail(`[${row}]`, `expected a list of ${noun}s, got ${kind(list)}.`);
    if (list.length === 0) return fail(`[${row}]`, `expected at least one ${noun}, got an empty list.`);
    const ids: readonly unknown[] = list;
    ids.forEach((id, i) => {
      if (typeof id === "number" && Number.isInteger(id) && id >= 0 && id < end) return;
      fail(`[${row}][${i}]`, `expected a ${noun} from 0 to ${end - 1}, got ${typeof id === "number" ? id : kind(id)}.`);
    });
    return ids as readonly number[];
  });
}

function kind(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  return typeof value === "object"
    ? "an object"
    : typeof value === "string"
      ? `the text ${JSON.stringify(value.slice(0, 20))}`
      : `${typeof value} ${String(value)}`;
}
