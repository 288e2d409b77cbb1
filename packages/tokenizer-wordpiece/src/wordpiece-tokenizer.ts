/**
 * BERT's tokenizer: basic words (normalize.ts), WordPiece (word-pieces.ts), then special tokens around the text.
 *
 * Its ids, offsets, words and types equal those of Python `tokenizers` (BertNormalizer, BertPreTokenizer, WordPiece,
 * TemplateProcessing), with offsets in UTF-16 units. Checked in test/golden.test.ts, and against a plain reference in
 * test/reference.test.ts. Price of `encodeIds`: see body-encoder.ts; `encode` adds five small arrays per text.
 */
import { ConfigError } from "@cloze/errors";
import {
  sha256,
  specialIds,
  type AddedToken,
  type SpecialIds,
  type TextEncodeOptions,
  type TextEncoding,
  type TextInput,
  type TextTokenizer,
} from "@cloze/tokenizer";
import { Body, TextFramer, addedTokenSplitter, type Part } from "@cloze/tokenizer/internal";
import { BodyEncoder, addPieces, addTrouble } from "./body-encoder.ts";
import { codePoints } from "./code-points.ts";
import { completeConfig, type CleanUp, type WordPieceConfig, type WordPieceOptions } from "./config.ts";
import { decodeTokens } from "./decode.ts";
import { normalize, type Normalized } from "./normalize.ts";
import { VocabularyTrie } from "./vocabulary-trie.ts";
import { piecesOf } from "./word-pieces.ts";
import { wordPieceFiles } from "./wordpiece-files.ts";

export interface WordPieceTokenizer extends TextTokenizer {
  readonly config: WordPieceConfig;
  /** The text of the tokens, with a space between words. Clean-up (default `config.cleanUp`) removes some spaces. */
  decode(ids: ArrayLike<number>, options?: { readonly skipSpecial?: boolean; readonly cleanUp?: CleanUp }): string;
}

/**
 * The tokenizer of a vocabulary. The default is uncased BERT's pipeline. Throws: ConfigError where the options
 * contradict each other.
 */
export function wordPiece(options: WordPieceOptions): WordPieceTokenizer {
  return tokenizerOf(completeConfig(options), []);
}

/** The tokenizer of a whole config, with remarks on the files that it comes from. */
export function tokenizerOf(config: WordPieceConfig, remarks: readonly string[]): WordPieceTokenizer {
  return new Tokenizer(config, remarks);
}

/**
 * The same tokenizer with further tokens at the end of its vocabulary. The model's embeddings must grow by the same
 * number of rows.
 *
 * Ordinary tokens are searched in the normalized text, as with Python's `add_tokens`. `special` tokens are searched in
 * the original text. A token that the vocabulary already has stays unchanged.
 */
export function withTokens(
  tokenizer: WordPieceTokenizer,
  tokens: readonly string[],
  { special = false }: { readonly special?: boolean } = {},
): WordPieceTokenizer {
  const { config } = tokenizer;
  const fresh = [...new Set(tokens)].filter((token) => tokenizer.idOf(token) === undefined && token !== "");
  const added = fresh.map((content, i): AddedToken => ({
    id: config.vocabulary.length + i,
    content,
    special,
    ...(special ? {} : { normalized: true }),
  }));
  return wordPiece({
    ...config,
    vocabulary: [...config.vocabulary, ...fresh],
    addedTokens: [...config.addedTokens, ...added],
  });
}

class Tokenizer implements WordPieceTokenizer {
  readonly config: WordPieceConfig;
  readonly name: string;
  readonly vocabulary: readonly string[];
  readonly special: SpecialIds;
  readonly specialIds: ReadonlySet<number>;
  readonly regularIds: readonly number[];
  readonly hash: string;
  readonly remarks: readonly string[];
  readonly #ids: ReadonlyMap<string, number>;
  readonly #framer: TextFramer;
  readonly #encoder: BodyEncoder;
  readonly #splitRaw: (text: string) => readonly Part[];
  /** The texts that `decode` writes. An added token marked `normalized` is written normalized, as in Python. */
  readonly #written: readonly string[];
  /** Splits normalized text at added tokens. Undefined where no added token is `normalized`. */
  readonly #splitNormalized: ((text: string) => readonly Part[]) | undefined;
  /** Scratch memory of `encodeIds`. */
  readonly #body: Body = new Body();

  constructor(config: WordPieceConfig, remarks: readonly string[]) {
    this.config = config;
    this.remarks = remarks;
    ({ name: this.name, vocabulary: this.vocabulary } = config);
    const ids = new Map(config.vocabulary.map((token, id) => [token, id]));
    const idOf = (token: string): number => ids.get(token) as number;
    this.#ids = ids;
    this.#framer = new TextFramer(config.template, idOf, (text, body) => this.#encodeText(text, body));
    // completeConfig has checked that all tokens exist
    this.special = specialIds(config.special, config.template, idOf) as SpecialIds;
    this.specialIds = new Set([
      ...Object.values(config.special).map(idOf),
      ...config.addedTokens.filter((t) => t.special).map((t) => t.id),
    ]);
    this.regularIds = config.vocabulary.flatMap((token, id) =>
      this.specialIds.has(id) || /^\[unused\d+\]$/.test(token) ? [] : [id],
    );
    const points = codePoints();
    const { lowercase, cleanText, chineseCharacters, stripAccents = lowercase, prefix, maxWordLength } = config;
    const options = { lowercase, cleanText, chineseCharacters, stripAccents };
    const trie = new VocabularyTrie(config.vocabulary.slice(0, config.modelSize), prefix);
    this.#encoder = new BodyEncoder({ points, trie, unknownId: this.special.unknown, maxWordLength }, options);
    const normalized = config.addedTokens.filter((t) => t.normalized === true);
    this.#splitRaw = addedTokenSplitter(
      config.addedTokens.filter((t) => t.normalized !== true).map((t) => [t.content, t]),
    );
    const contents = new Map(
      normalized.map((t) => [t.id, stringOf(normalize(points, options, t.content, 0, t.content.length))]),
    );
    this.#splitNormalized =
      normalized.length === 0
        ? undefined
        : addedTokenSplitter(normalized.map((t) => [contents.get(t.id) as string, t]));
    this.#written =
      normalized.length === 0 ? config.vocabulary : config.vocabulary.map((token, id) => contents.get(id) ?? token);
    const added = config.addedTokens.map((t) =>
      [t.id, t.special, t.normalized, t.singleWord, t.lstrip, t.rstrip].map(Number),
    );
    this.hash = sha256(
      JSON.stringify([
        config.vocabulary,
        config.modelSize,
        this.special,
        [...this.specialIds].toSorted((a, b) => a - b),
        added,
        config.template.single,
        lowercase,
        stripAccents,
        chineseCharacters,
        cleanText,
        prefix,
        maxWordLength,
      ]),
    );
  }

  encode(text: TextInput, options: TextEncodeOptions = {}): TextEncoding {
    return this.#framer.encode(text, options);
  }

  encodeIds(text: string): Int32Array {
    const body = this.#body;
    body.reset();
    if (this.#splitNormalized !== undefined) this.#encodeText(text, body);
    else {
      for (const { start, end, id } of this.#splitRaw(text)) {
        if (id === undefined) this.#encoder.encodeIds(text, start, end, body);
        else {
          body.reserve(1);
          body.ids[body.count++] = id;
        }
      }
    }
    return body.ids.slice(0, body.count);
  }

  decode(ids: ArrayLike<number>, options: { readonly skipSpecial?: boolean; readonly cleanUp?: CleanUp } = {}): string {
    const { skipSpecial = true, cleanUp = this.config.cleanUp } = options;
    const tokens: string[] = [];
    for (let i = 0; i < ids.length; i++) {
      const id = ids[i] as number;
      const token = this.#written[id];
      if (token === undefined)
        throw new ConfigError(
          `decode: expected ids 0 to ${this.vocabulary.length - 1} of "${this.name}", got ${id} at position ` +
            `${i}. Were the ids made with another tokenizer?`,
        );
      if (!skipSpecial || !this.specialIds.has(id)) tokens.push(token);
    }
    return decodeTokens(tokens, this.config.prefix, cleanUp);
  }

  idOf(token: string): number | undefined {
    return this.#ids.get(token);
  }

  files(): Readonly<Record<string, string>> {
    return wordPieceFiles(this.config);
  }

  #encodeText(text: string, body: Body): void {
    for (const { start, end, id } of this.#splitRaw(text)) {
      if (id !== undefined) body.push(id, start, end, body.words++);
      else if (this.#splitNormalized === undefined) this.#encoder.encode(text, start, end, body);
      else this.#encodeNormalized(this.#splitNormalized, text, start, end, body);
    }
  }

  /** Encodes like the encoder, and also finds added tokens in the normalized text. */
  #encodeNormalized(
    split: (text: string) => readonly Part[],
    text: string,
    start: number,
    end: number,
    body: Body,
  ): void {
    const { model, options } = this.#encoder;
    const dropped: number[] = [];
    const normalized = normalize(model.points, options, text, start, end, (code) => dropped.push(code));
    const parts = split(stringOf(normalized));
    if (parts.every((part) => part.id === undefined)) {
      this.#encoder.encode(text, start, end, body);
      return;
    }
    const placeOf = unitPlaces(normalized);
    const unknown: number[] = [];
    for (const part of parts) {
      const from = placeOf[part.start] as number;
      const to = placeOf[part.end] as number;
      if (part.id !== undefined)
        body.push(part.id, normalized.from[from] as number, normalized.to[to - 1] as number, body.words++);
      else {
        const pieces = piecesOf(model, normalized, from, to);
        addPieces(pieces, body);
        unknown.push(...pieces.unknown);
      }
    }
    addTrouble(body, { dropped, unknown });
  }
}

function stringOf({ codes }: Normalized): string {
  return codes.map((code) => String.fromCodePoint(code)).join("");
}

/**
 * For each UTF-16 unit of the normalized string the index of its character, then one more entry: the number of
 * characters.
 */
function unitPlaces({ codes }: Normalized): readonly number[] {
  return [...codes.flatMap((code, i) => (code > 0xffff ? [i, i] : [i])), codes.length];
}
