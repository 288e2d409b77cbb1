/**
 * The byte-level BPE tokenizer: NFC, GPT-2's words, merges of bytes, then special tokens around the text. With all 256
 * bytes in the vocabulary, it can encode every text.
 *
 * Its ids, offsets, words and types equal those of Python `tokenizers` (NFC, ByteLevel, BPE, TemplateProcessing), with
 * offsets in UTF-16 units. Checked in test/golden.test.ts. Price of encoding: see byte-encoder.ts.
 */
import { ConfigError } from "@cloze/errors";
import {
  sha256,
  specialIds,
  type SpecialIds,
  type TextEncodeOptions,
  type TextEncoding,
  type TextInput,
  type TextTokenizer,
} from "@cloze/tokenizer";
import { Body, TextFramer, addedTokenSplitter, type Part } from "@cloze/tokenizer/internal";
import { bpeFiles } from "./bpe-files.ts";
import { byteCharacters } from "./byte-alphabet.ts";
import { ByteEncoder, endsOf, trimSpaces } from "./byte-encoder.ts";
import { completeConfig, type BpeConfig, type BpeOptions } from "./config.ts";
import { composedText, fromOf, plainText, slicePlaced, toOf } from "./placed-text.ts";

export interface BpeTokenizer extends TextTokenizer {
  readonly config: BpeConfig;
  /**
   * True where a token continues the word of the previous token: the token begins inside a character, or with a letter,
   * a mark or a digit without a space before it. Whole-word masking uses this. Only the token itself decides, so a word
   * directly after a bracket or a line feed counts as a continuation of the bracket or the line feed.
   */
  readonly continuesWord: (id: number) => boolean;
}

/**
 * The tokenizer of a vocabulary and its merges. The default pipeline is ModernBERT's.
 * Throws: ConfigError where the options contradict each other.
 */
export function bpe(options: BpeOptions): BpeTokenizer {
  return tokenizerOf(completeConfig(options), []);
}

/** The tokenizer of a whole config, with remarks on the files that it comes from. */
export function tokenizerOf(config: BpeConfig, remarks: readonly string[]): BpeTokenizer {
  return new Tokenizer(config, remarks);
}

/** First character of a decoded token that continues a word. A part of a character decodes to U+FFFD. */
const INSIDE_WORD: RegExp = /^[\p{L}\p{M}\p{N}\ufffd]/u;

class Tokenizer implements BpeTokenizer {
  readonly config: BpeConfig;
  readonly name: string;
  readonly vocabulary: readonly string[];
  readonly special: SpecialIds;
  readonly specialIds: ReadonlySet<number>;
  readonly regularIds: readonly number[];
  readonly hash: string;
  readonly remarks: readonly string[];
  readonly continuesWord: (id: number) => boolean;
  readonly #ids: ReadonlyMap<string, number>;
  readonly #framer: TextFramer;
  readonly #encoder: ByteEncoder;
  readonly #splitRaw: (text: string) => readonly Part[];
  /** Splits normalized text at added tokens. Undefined where no added token is `normalized`. */
  readonly #splitNormalized: ((text: string) => readonly Part[]) | undefined;
  /** Texts of added tokens, as `decode` writes them. */
  readonly #written: ReadonlyMap<number, string>;
  /** The byte of each character of the byte alphabet. */
  readonly #bytes: ReadonlyMap<string, number> = new Map(byteCharacters().map((character, byte) => [character, byte]));
  /** Scratch memory of `encodeIds`. */
  readonly #body: Body = new Body();

  constructor(config: BpeConfig, remarks: readonly string[]) {
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
    this.#encoder = new ByteEncoder(config);
    const normalized = config.addedTokens.filter((t) => t.normalized === true);
    const written = (text: string): string => (config.normalizer === "nfc" ? text.normalize("NFC") : text);
    this.#splitRaw = addedTokenSplitter(
      config.addedTokens.filter((t) => t.normalized !== true).map((t) => [t.content, t]),
    );
    this.#splitNormalized =
      normalized.length === 0 ? undefined : addedTokenSplitter(normalized.map((t) => [written(t.content), t]));
    this.#written = new Map(
      config.addedTokens.map((t) => [t.id, t.normalized === true ? written(t.content) : t.content]),
    );
    let continuing: Uint8Array | undefined;
    const goesOn = (id: number): boolean => !this.#written.has(id) && INSIDE_WORD.test(this.decode([id]));
    this.continuesWord = (id) => {
      continuing ??= Uint8Array.from(config.vocabulary, (_, each) => Number(goesOn(each)));
      return continuing[id] === 1;
    };
    const added = config.addedTokens.map((t) =>
      [t.id, t.special, t.normalized, t.singleWord, t.lstrip, t.rstrip].map(Number),
    );
    this.hash = sha256(
      JSON.stringify([
        config.vocabulary,
        config.modelSize,
        config.merges,
        this.special,
        [...this.specialIds].toSorted((a, b) => a - b),
        added,
        config.template.single,
        config.normalizer,
        config.addPrefixSpace,
        config.useRegex,
        config.trimOffsets,
        config.ignoreMerges,
        config.unknownByte ?? null,
      ]),
    );
  }

  encode(text: TextInput, options: TextEncodeOptions = {}): TextEncoding {
    return this.#framer.encode(text, options);
  }

  encodeIds(text: string): Int32Array {
    this.#body.reset();
    this.#encodeText(text, this.#body);
    return this.#body.ids.slice(0, this.#body.count);
  }

  decode(ids: ArrayLike<number>, { skipSpecial = true }: { readonly skipSpecial?: boolean } = {}): string {
    const bytes: number[] = [];
    const utf8 = new TextEncoder();
    for (let i = 0; i < ids.length; i++) {
      const id = ids[i] as number;
      const token = this.vocabulary[id];
      if (token === undefined)
        throw new ConfigError(
          `decode: expected ids 0 to ${this.vocabulary.length - 1} of "${this.name}", got ${id} at position ` +
            `${i}. Were the ids made with another tokenizer?`,
        );
      if (skipSpecial && this.specialIds.has(id)) continue;
      const added = this.#written.get(id);
      const own = added === undefined ? Array.from(token, (character) => this.#bytes.get(character)) : [undefined];
      for (const byte of own.includes(undefined) ? utf8.encode(added ?? token) : own) bytes.push(byte as number);
    }
    return new TextDecoder("utf-8", { ignoreBOM: true }).decode(Uint8Array.from(bytes));
  }

  idOf(token: string): number | undefined {
    return this.#ids.get(token);
  }

  files(): Readonly<Record<string, string>> {
    return bpeFiles(this.config);
  }

  #encodeText(text: string, body: Body): void {
    const normalize = this.config.normalizer === "nfc" ? composedText : plainText;
    for (const { start, end, id } of this.#splitRaw(text)) {
      if (id !== undefined) {
        this.#push(body, id, text.slice(start, end), start, end);
        continue;
      }
      const placed = normalize(text, start, end);
      if (this.#splitNormalized === undefined) this.#encoder.encode(placed, body);
      else {
        for (const part of this.#splitNormalized(placed.text)) {
          const within = slicePlaced(placed, part.start, part.end);
          if (part.id === undefined) this.#encoder.encode(within, body);
          else this.#push(body, part.id, within.text, fromOf(within, 0), toOf(within, within.text.length));
        }
      }
    }
  }

  #push(body: Body, id: number, found: string, from: number, to: number): void {
    const { trimOffsets } = this.config;
    body.push(id, from, to, body.words++);
    if (trimOffsets !== "none")
      trimSpaces(
        body,
        endsOf(found, 0, found.length, (unit) => /[\p{White_Space}\u0120]/u.test(unit)),
        trimOffsets === "spaces-but-prefix",
      );
  }
}
