/**
 * The parser of SQuAD's JSON, versions 1.1 and 2.0: articles, their paragraphs, and the questions on each paragraph.
 */
import { FormatError } from "@cloze/errors";
import { answerAt, type QuestionRecord } from "./question-answering.ts";

interface Json {
  readonly [key: string]: unknown;
}

/**
 * Parses a SQuAD file. Throws FormatError for a file that is not SQuAD, and ConfigError with the question's id if an
 * answer's text is not at the stated position.
 */
export function parseSquad(text: string, file: string): readonly QuestionRecord[] {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new FormatError(
      file,
      "",
      "expected the JSON of SQuAD, got " +
        `${cause instanceof Error ? cause.message.slice(0, 80) : "something else"}. Is the file whole?`,
      { cause },
    );
  }
  const list = (from: unknown, key: string, place: string): readonly Json[] => {
    const value = typeof from === "object" && from !== null ? (from as Json)[key] : undefined;
    if (!Array.isArray(value))
      throw new FormatError(
        file,
        place,
        `expected a list "${key}", got ${JSON.stringify(value)?.slice(0, 40) ?? "nothing"}. SQuAD is { data: [{ ` +
          "paragraphs: [{ context, qas }] }] }.",
      );
    return value as readonly Json[];
  };
  const textOf = (from: Json, key: string, place: string): string => {
    const value = from[key];
    if (typeof value !== "string")
      throw new FormatError(
        file,
        place,
        `expected a text "${key}", got ${JSON.stringify(value)?.slice(0, 40) ?? "nothing"}.`,
      );
    return value;
  };
  const records = list(json, "data", "").flatMap((article, a) =>
    list(article, "paragraphs", `data[${a}]`).flatMap((paragraph, p) => {
      const place = `data[${a}].paragraphs[${p}]`;
      const context = textOf(paragraph, "context", place);
      return list(paragraph, "qas", place).map((qa, q): QuestionRecord => {
        const id = textOf(qa, "id", `${place}.qas[${q}]`);
        const where = `${file}, question ${id}`;
        const given = qa["is_impossible"] === true ? [] : qa["answers"];
        const answers = Array.isArray(given)
          ? (given as readonly Json[]).map((each) =>
              answerAt(context, textOf(each, "text", `question ${id}`), Number(each["answer_start"]), where),
            )
          : undefined;
        return { id, question: textOf(qa, "question", `question ${id}`), context, answers };
      });
    }),
  );
  if (records.length === 0) throw new FormatError(file, "", "expected questions, got none.");
  return records;
}
