/** What a row length cut off, in words. */
import type { Cut } from "@cloze/tasks";
import { counted } from "./output.ts";

/** One line; no line where nothing was cut. `noun`: what a record and a token are called. */
export const cutInWords = (
  { records, tokens }: Cut,
  maxLength: number,
  [record, token]: readonly [string, string] = ["record", "token"],
): readonly string[] =>
  records === 0 ? [] : [`cut: ${counted(records, record)} to ${maxLength} tokens, ${counted(tokens, token)} left out`];
