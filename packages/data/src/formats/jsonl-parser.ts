/**
 * A parser of JSONL (one JSON object a line) to rows. Blank lines are skipped. Any other line that is not an object is
 * an error that names the line. A number that a double would change keeps its text (NumberText).
 */
import { FormatError } from "@cloze/errors";
import { LineParser, type LineOptions } from "./text-lines.ts";
import { parseRowJson } from "./row-json.ts";
import type { Row } from "./text-document.ts";

/**
 * @example
 * new JsonlParser().push(new TextEncoder().encode('{"text": "One."}\n'))
 * // => [{ values: { text: "One." }, place: 1 }]
 */
export class JsonlParser {
  readonly #file: string;
  readonly #lines: LineParser;
  #line = 0;

  constructor(options: LineOptions = {}) {
    this.#file = options.file ?? "JSONL";
    this.#lines = new LineParser({ ...options, file: this.#file });
  }

  get bytes(): number {
    return this.#lines.bytes;
  }
  get invalid(): number {
    return this.#lines.invalid;
  }

  push(chunk: Uint8Array): readonly Row[] {
    return this.#rows(this.#lines.push(chunk));
  }

  finish(): readonly Row[] {
    return this.#rows(this.#lines.finish());
  }

  #rows(lines: readonly string[]): readonly Row[] {
    const rows: Row[] = [];
    for (const line of lines) {
      this.#line++;
      if (line.trim() !== "") rows.push({ values: this.#object(line), place: this.#line });
    }
    return rows;
  }

  #object(line: string): Readonly<Record<string, unknown>> {
    let value: unknown;
    try {
      value = parseRowJson(line);
    } catch (cause) {
      const next =
        this.#line === 1 && /^[[{]\s*$/.test(line)
          ? "One object has to stand on one line: is this JSON and not JSONL?"
          : "Is the line whole?";
      throw new FormatError(
        this.#file,
        `line ${this.#line}`,
        `expected a JSON object, got ${shorten(line)} (${reason(cause)}). ${next}`,
        { cause },
      );
    }
    if (typeof value === "object" && value !== null && !Array.isArray(value))
      return value as Readonly<Record<string, unknown>>;
    throw new FormatError(
      this.#file,
      `line ${this.#line}`,
      `expected a JSON object such as {"text": "…"}, got ${shorten(line)}. Write one object a line.`,
    );
  }
}

const shorten = (line: string): string => (line.length <= 40 ? line : `${line.slice(0, 40)}…`);

/**
 * The engine's message without the text that it quotes from the line: this wording differs between versions.
 */
const reason = (cause: unknown): string =>
  cause instanceof Error
    ? cause.message.replace(/, ?"[^]*$| in JSON at[^]*$| "[^]*" is not valid JSON$/, "")
    : String(cause);
