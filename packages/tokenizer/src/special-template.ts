/**
 * Templates for the special tokens around a sequence, such as `[CLS] $A [SEP]`.
 *
 * The notation is that of Python `tokenizers`: pieces with spaces between them, `$A` and `$B` for the sequences, `:1`
 * for a token type other than 0. The reader takes the post_processor of a tokenizer.json (TemplateProcessing,
 * BertProcessing, RobertaProcessing, or a Sequence with one of them). The writer makes TemplateProcessing.
 */
import { ConfigError, FormatError } from "@cloze/errors";
import { describeJson, isJsonObject, type JsonObject, type JsonValue } from "./json-file.ts";

export interface SpecialTemplate {
  /** For example `<cls> $A <eos>`. */
  readonly single: string;
  /** For example `<cls> $A <eos> $B:1 <eos>:1`. */
  readonly pair: string;
}

export interface TemplatePiece {
  /** "A" or "B" for a sequence, undefined for a special token. */
  readonly sequence?: "A" | "B";
  readonly token?: string;
  readonly type: number;
}

export function templatePieces(template: string): TemplatePiece[] {
  return template
    .split(" ")
    .filter((word) => word !== "")
    .map((word) => {
      const [, body = word, type] = /^(.+?)(?::(\d+))?$/.exec(word) ?? [];
      if (body === "$A" || body === "$B") return { sequence: body === "$A" ? "A" : "B", type: Number(type ?? 0) };
      return { token: body, type: Number(type ?? 0) };
    });
}

/**
 * The special tokens before and after `$A` in `template.single`. Throws: ConfigError unless `$A` is there exactly once.
 */
export function templateSides(template: SpecialTemplate): {
  readonly before: readonly string[];
  readonly after: readonly string[];
} {
  const pieces = templatePieces(template.single);
  const at = pieces.findIndex((p) => p.sequence === "A");
  const tokens = (side: readonly TemplatePiece[]): string[] =>
    side.flatMap((p) => (p.token === undefined ? [] : [p.token]));
  if (pieces.filter((p) => p.sequence !== undefined).length !== 1 || at < 0) {
    throw new ConfigError(
      `special template: expected "$A" exactly once, got ${JSON.stringify(template.single)}. Write for example ` +
        `"<cls> $A <eos>".`,
    );
  }
  return { before: tokens(pieces.slice(0, at)), after: tokens(pieces.slice(at + 1)) };
}

/** The template as the post_processor of a tokenizer.json. Throws: ConfigError for an unknown token. */
export function templateJson(template: SpecialTemplate, idOf: (token: string) => number | undefined): JsonObject {
  const json = (piece: TemplatePiece): JsonObject =>
    piece.sequence === undefined
      ? { SpecialToken: { id: piece.token ?? "", type_id: piece.type } }
      : { Sequence: { id: piece.sequence, type_id: piece.type } };
  const single = templatePieces(template.single);
  const pair = templatePieces(template.pair);
  const tokens = [...new Set([...single, ...pair].flatMap((p) => (p.token === undefined ? [] : [p.token])))];
  const special: Record<string, JsonValue> = {};
  for (const token of tokens) {
    const id = idOf(token);
    if (id === undefined)
      throw new ConfigError(
        `special template: expected tokens of the vocabulary, got ${JSON.stringify(token)}. Add it to the ` +
          "vocabulary or mend the template.",
      );
    special[token] = { id: token, ids: [id], tokens: [token] };
  }
  return { type: "TemplateProcessing", single: single.map(json), pair: pair.map(json), special_tokens: special };
}

/** The template of a tokenizer.json's post_processor. null means no special tokens. */
export function readTemplate(postProcessor: JsonValue, file = "tokenizer.json"): SpecialTemplate {
  if (postProcessor === null) return { single: "$A", pair: "$A $B:1" };
  const type = isJsonObject(postProcessor) ? postProcessor["type"] : undefined;
  if (isJsonObject(postProcessor)) {
    if (type === "TemplateProcessing")
      return { single: piecesText(postProcessor, "single", file), pair: piecesText(postProcessor, "pair", file) };
    if (type === "BertProcessing") return bertTemplate(postProcessor, 1, file);
    if (type === "RobertaProcessing") return bertTemplate(postProcessor, 2, file);
    if (type === "ByteLevel") return readTemplate(null, file);
    if (type === "Sequence" && Array.isArray(postProcessor["processors"])) {
      const processors = postProcessor["processors"] as readonly JsonValue[];
      return readTemplate(processors.find((p) => isJsonObject(p) && p["type"] !== "ByteLevel") ?? null, file);
    }
  }
  throw new FormatError(
    file,
    "post_processor",
    "expected TemplateProcessing, BertProcessing or RobertaProcessing, got " +
      `${describeJson(type ?? postProcessor)}. Save the tokenizer with one of these from Python.`,
  );
}

function bertTemplate(processor: JsonObject, separators: 1 | 2, file: string): SpecialTemplate {
  const name = (key: string): string => {
    const pair = processor[key];
    if (Array.isArray(pair) && typeof pair[0] === "string") return pair[0];
    throw new FormatError(
      file,
      `post_processor.${key}`,
      `expected [token, id], got ${describeJson(pair)}. Save the tokenizer again from Python.`,
    );
  };
  const cls = name("cls");
  const sep = name("sep");
  // RoBERTa puts two separators between the sequences and has one token type.
  return {
    single: `${cls} $A ${sep}`,
    pair: separators === 1 ? `${cls} $A ${sep} $B:1 ${sep}:1` : `${cls} $A ${sep} ${sep} $B ${sep}`,
  };
}

function piecesText(processor: JsonObject, key: "single" | "pair", file: string): string {
  const pieces = processor[key];
  const place = `post_processor.${key}`;
  if (!Array.isArray(pieces))
    throw new FormatError(
      file,
      place,
      `expected a list of pieces, got ${describeJson(pieces)}. Save the tokenizer again from Python.`,
    );
  return pieces
    .map((piece: JsonValue, i): string => {
      const special = isJsonObject(piece) ? piece["SpecialToken"] : undefined;
      const body = special ?? (isJsonObject(piece) ? piece["Sequence"] : undefined);
      if (!isJsonObject(body) || typeof body["id"] !== "string") {
        throw new FormatError(
          file,
          `${place}[${i}]`,
          `expected a SpecialToken or a Sequence with an id, got ${describeJson(piece)}. Save the tokenizer ` +
            "again from Python.",
        );
      }
      const type = body["type_id"] === 0 || body["type_id"] === undefined ? "" : `:${String(body["type_id"])}`;
      return `${special === undefined ? "$" : ""}${body["id"]}${type}`;
    })
    .join(" ");
}
