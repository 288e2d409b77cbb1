/**
 * BERT's tokenizer: basic words (normalize.ts), WordPiece (word-pieces.ts), special tokens around them.
 *
 * Equal to Python `tokenizers` (BertNormalizer, BertPreTokenizer, WordPiece, TemplateProcessing) in ids, offsets, words and types,
 * with offsets in UTF-16 units. Checked against it by test/golden.test.ts and against a plain reference by test/reference.test.ts.
 * Price of `encodeIds`: see body-encoder.ts; `encode` adds five small arrays per text.
 */
import { ConfigError } from "@cloze/errors";
import {
  sha256, specialIds, templatePieces,
  type AddedToken, type EncodingIssues, type SpecialIds, type TemplatePiece, type TextEncodeOptions, type TextEncoding, type TextInput, type TextTokenizer,
} from "@cloze/tokenizer";
import { addedTokenSplitter, type Part } from "./added-tokens.ts";
import { Body } from "./body.ts";
import { BodyEncoder, addPieces, addTrouble } from "./body-encoder.ts";
import { codePoints } from "./code-points.ts";
import { completeConfig, type CleanUp, type WordPieceConfig, type WordPieceOptions } from "./config.ts";
import { decodeTokens } from "./decode.ts";
import { normalize, type Normalized } from "./normalize.ts";
import { VocabularyTrie } from "./vocabulary-trie.ts";
import { windowsOf, type Window } from "./windows.ts";
import { piecesOf } from "./word-pieces.ts";
import { wordPieceFiles } from "./wordpiece-files.ts";

export interface WordPieceTokenizer extends TextTokenizer {
  readonly config: WordPieceConfig;
  /** Text of the tokens; a space between words but where clean-up (default `config.cleanUp`) takes it out. */
  decode(ids: ArrayLike<number>, options?: { readonly skipSpecial?: boolean; readonly cleanUp?: CleanUp }): string;
}

/** The tokenizer of a vocabulary: BERT's, uncased, unless options say otherwise. Throws ConfigError where the options contradict each other. */
export function wordPiece(options: WordPieceOptions): WordPieceTokenizer {
  return new Tokenizer(completeConfig(options));
}

/**
 * The same tokenizer with further tokens at the end of its vocabulary: the model's embeddings must grow by as many.
 *
 * Ordinary ones are looked for in the normalized text, as Python's `add_tokens` does; `special` ones in the text as written.
 * Tokens that are there already are left as they are.
 */
export function withTokens(tokenizer: WordPieceTokenizer, tokens: readonly string[], { special = false }: { readonly special?: boolean } = {}): WordPieceTokenizer {
  const { config } = tokenizer, fresh = [...new Set(tokens)].filter((token) => tokenizer.idOf(token) === undefined && token !== "");
  const added = fresh.map((content, i): AddedToken => ({ id: config.vocabulary.length + i, content, special, ...(special ? {} : { normalized: true }) }));
  return wordPiece({ ...config, vocabulary: [...config.vocabulary, ...fresh], addedTokens: [...config.addedTokens, ...added] });
}

const NO_ISSUES: EncodingIssues = /* @__PURE__ */ Object.freeze({ replaced: Object.freeze({}), unknown: Object.freeze({}), dropped: Object.freeze({}) });

class Tokenizer implements WordPieceTokenizer {
  readonly config: WordPieceConfig;
  readonly name: string;
  readonly vocabulary: readonly string[];
  readonly special: SpecialIds;
  readonly specialIds: ReadonlySet<number>;
  readonly regularIds: readonly number[];
  readonly hash: string;
  readonly #ids: ReadonlyMap<string, number>;
  readonly #single: readonly TemplatePiece[];
  readonly #pair: readonly TemplatePiece[];
  readonly #encoder: BodyEncoder;
  readonly #splitRaw: (text: string) => readonly Part[];
  /** What decode writes: added tokens that are looked for in normalized text come back normalized, as in Python. */
  readonly #written: readonly string[];
  /** Undefined where no added token is looked for in normalized text. */
  readonly #splitNormalized: ((text: string) => readonly Part[]) | undefined;
  /** Scratch for the texts of one call. */
  readonly #bodies: readonly [Body, Body] = [new Body(), new Body()];

  constructor(config: WordPieceConfig) {
    this.config = config;
    ({ name: this.name, vocabulary: this.vocabulary } = config);
    const ids = new Map(config.vocabulary.map((token, id) => [token, id])), idOf = (token: string): number => ids.get(token) as number;
    this.#ids = ids;
    this.#single = templatePieces(config.template.single);
    this.#pair = templatePieces(config.template.pair);
    this.special = specialIds(config.special, config.template, idOf) as SpecialIds; // completeConfig has thrown where a token is not there
    this.specialIds = new Set([...Object.values(config.special).map(idOf), ...config.addedTokens.filter((t) => t.special).map((t) => t.id)]);
    this.regularIds = config.vocabulary.flatMap((token, id) => (this.specialIds.has(id) || /^\[unused\d+\]$/.test(token) ? [] : [id]));
    const points = codePoints(), { lowercase, cleanText, chineseCharacters, stripAccents = lowercase, prefix, maxWordLength } = config;
    const options = { lowercase, cleanText, chineseCharacters, stripAccents };
    const trie = new VocabularyTrie(config.vocabulary.slice(0, config.modelSize), prefix);
    this.#encoder = new BodyEncoder({ points, trie, unknownId: this.special.unknown, maxWordLength }, options);
    const normalized = config.addedTokens.filter((t) => t.normalized === true);
    this.#splitRaw = addedTokenSplitter(config.addedTokens.filter((t) => t.normalized !== true).map((t) => [t.content, t]));
    const contents = new Map(normalized.map((t) => [t.id, stringOf(normalize(points, options, t.content, 0, t.content.length))]));
    this.#splitNormalized = normalized.length === 0 ? undefined : addedTokenSplitter(normalized.map((t) => [contents.get(t.id) as string, t]));
    this.#written = normalized.length === 0 ? config.vocabulary : config.vocabulary.map((token, id) => contents.get(id) ?? token);
    const added = config.addedTokens.map((t) => [t.id, t.special, t.normalized, t.singleWord, t.lstrip, t.rstrip].map(Number));
    this.hash = sha256(JSON.stringify([
      config.vocabulary, config.modelSize, this.special, [...this.specialIds].toSorted((a, b) => a - b), added, config.template.single, lowercase, stripAccents, chineseCharacters, cleanText, prefix, maxWordLength,
    ]));
  }

  encode(text: TextInput, options: TextEncodeOptions = {}): TextEncoding {
    const { pair, special = true } = options, [first, second] = this.#bodies;
    this.#fill(text, first);
    if (pair !== undefined) this.#fill(pair, second);
    const bodies = pair === undefined ? [first] : [first, second];
    const template = (pair === undefined ? this.#single : this.#pair).filter((piece) => special || piece.token === undefined);
    const windows = windowsOf(bodies.map((b) => b.count), template.filter((p) => p.token !== undefined).length, options);
    const issues = issuesOf(bodies);
    const [main = [], ...further] = windows;
    return this.#assemble(template, bodies, main, issues, further.map((window) => this.#assemble(template, bodies, window, issues, [])));
  }

  encodeIds(text: string): Int32Array {
    const [body] = this.#bodies;
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
    const { skipSpecial = true, cleanUp = this.config.cleanUp } = options, tokens: string[] = [];
    for (let i = 0; i < ids.length; i++) {
      const id = ids[i] as number, token = this.#written[id];
      if (token === undefined) throw new ConfigError(`decode: expected ids 0 to ${this.vocabulary.length - 1} of "${this.name}", got ${id} at position ${i}. Were the ids made with another tokenizer?`);
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

  #fill(text: TextInput, body: Body): void {
    body.reset();
    if (typeof text === "string") {
      this.#encodeText(text, body);
      return;
    }
    for (const [number, word] of text.entries()) {
      const first = body.count;
      this.#encodeText(word, body);
      body.wordOf.fill(number, first, body.count);
    }
  }

  #encodeText(text: string, body: Body): void {
    for (const { start, end, id } of this.#splitRaw(text)) {
      if (id !== undefined) body.push(id, start, end, body.words++);
      else if (this.#splitNormalized === undefined) this.#encoder.encode(text, start, end, body);
      else this.#encodeNormalized(this.#splitNormalized, text, start, end, body);
    }
  }

  /** As the encoder does, with added tokens looked for in between. */
  #encodeNormalized(split: (text: string) => readonly Part[], text: string, start: number, end: number, body: Body): void {
    const { model, options } = this.#encoder, dropped: number[] = [];
    const normalized = normalize(model.points, options, text, start, end, (code) => dropped.push(code));
    const parts = split(stringOf(normalized));
    if (parts.every((part) => part.id === undefined)) {
      this.#encoder.encode(text, start, end, body);
      return;
    }
    const placeOf = unitPlaces(normalized), unknown: number[] = [];
    for (const part of parts) {
      const from = placeOf[part.start] as number, to = placeOf[part.end] as number;
      if (part.id !== undefined) body.push(part.id, normalized.from[from] as number, normalized.to[to - 1] as number, body.words++);
      else {
        const pieces = piecesOf(model, normalized, from, to);
        addPieces(pieces, body);
        unknown.push(...pieces.unknown);
      }
    }
    addTrouble(body, { dropped, unknown });
  }

  #assemble(template: readonly TemplatePiece[], bodies: readonly Body[], window: Window, issues: EncodingIssues, overflow: readonly TextEncoding[]): TextEncoding {
    let length = 0, total = 0;
    for (const piece of template) length += piece.sequence === undefined ? 1 : sizeOf(window[piece.sequence === "A" ? 0 : 1]);
    for (const body of bodies) total += body.count;
    const ids = new Int32Array(length), offsets = new Int32Array(2 * length), types = new Int32Array(length);
    const words = new Int32Array(length).fill(-1), sequences = new Int32Array(length).fill(-1);
    let at = 0, kept = 0;
    for (const { sequence, token, type } of template) {
      if (sequence === undefined) {
        ids[at] = this.#ids.get(token ?? "") as number;
        types[at++] = type;
        continue;
      }
      const number = sequence === "A" ? 0 : 1, body = bodies[number] as Body, [start, end] = window[number] ?? [0, 0], count = end - start;
      ids.set(body.ids.subarray(start, end), at);
      words.set(body.wordOf.subarray(start, end), at);
      types.fill(type, at, at + count);
      sequences.fill(number, at, at + count);
      for (let i = start; i < end; i++) {
        offsets[2 * (at + i - start)] = body.from[i] as number;
        offsets[2 * (at + i - start) + 1] = body.to[i] as number;
      }
      at += count;
      kept += count;
    }
    return { ids, offsets, types, words, sequences, truncated: total - kept, issues, overflow };
  }
}

const sizeOf = (range: readonly [number, number] = [0, 0]): number => range[1] - range[0];

function issuesOf([first, second]: readonly Body[]): EncodingIssues {
  if (first === undefined || (!first.troubled && second?.troubled !== true)) return NO_ISSUES;
  if (second?.troubled === true) {
    first.troubled = true;
    first.issues.add(second.issues.issues());
  }
  return first.issues.issues();
}

function stringOf({ codes }: Normalized): string {
  return codes.map((code) => String.fromCodePoint(code)).join("");
}

/** The number of the character that each UTF-16 unit of the normalized string is part of, and the count of characters behind the last. */
function unitPlaces({ codes }: Normalized): readonly number[] {
  return [...codes.flatMap((code, i) => (code > 0xffff ? [i, i] : [i])), codes.length];
}
