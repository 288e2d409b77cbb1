/**
 * The protein tokenizer: one character is one token. An alphabet is data, and every lost character is counted.
 *
 * `encode` finds special tokens in the text (`MKT<mask>YIA`) and gives offsets. `encodeBytes` is the fast path for a
 * corpus. `decode` writes a space between tokens, as Python `transformers` does for the published alphabets.
 */
import { ConfigError } from "@cloze/errors";
import {
  IssueCounter,
  frameEncoding,
  sha256,
  specialIds,
  templateSides,
  type AddedToken,
  type ByteTokenizer,
  type EncodeOptions,
  type Encoding,
  type SpecialIds,
  type SpecialTemplate,
  type SpecialTokens,
} from "@cloze/tokenizer";
import { addedTokenSplitter, type Part } from "@cloze/tokenizer/internal";
import {
  DEFAULT_POLICY,
  alphabetFault,
  isCharacter,
  type ProteinAlphabet,
  type ProteinOptions,
  type ProteinPolicy,
} from "./alphabet.ts";
import { AMPLIFY, ESM2, PROTBERT } from "./alphabets.ts";
import { characterActions } from "./character-actions.ts";
import { encodeBytes, encodeText, type BodyWriter } from "./encode-body.ts";
import { alphabetFiles } from "./alphabet-files.ts";

export interface ProteinTokenizer extends ByteTokenizer {
  readonly alphabet: ProteinAlphabet;
  readonly policy: ProteinPolicy;
}

/** A custom alphabet. The defaults are ESM-2's. */
export interface CustomAlphabet {
  readonly name: string;
  readonly vocabulary: readonly string[];
  readonly special: SpecialTokens;
  /** Further tokens that are found whole in a text. */
  readonly addedTokens?: readonly AddedToken[];
  /**
   * Default: start token (`cls_token` or `bos_token`), `$A`, end token (`eos_token` or `sep_token`). A token that the
   * alphabet lacks is left out.
   */
  readonly template?: SpecialTemplate;
  readonly policy?: Partial<ProteinPolicy>;
  readonly separator?: " " | "";
  readonly modelInputNames?: readonly string[];
}

/** ESM-2, 33 tokens: `<cls>` 0, `<pad>` 1, `<eos>` 2, `<unk>` 3, residues 4 to 28, `.` 29, `-` 30, `<mask>` 32. */
export function esm2(options: ProteinOptions = {}): ProteinTokenizer {
  return fromAlphabet(withOptions(ESM2, options));
}

/**
 * ProtBert, 30 tokens, `[PAD]` 0 to `[MASK]` 4. U, Z, O, B are replaced with X (`replace: {}` keeps them). The text
 * needs no spaces between residues.
 */
export function protbert(options: ProteinOptions = {}): ProteinTokenizer {
  return fromAlphabet(withOptions(PROTBERT, options));
}

/** AMPLIFY, 27 tokens, `<pad>` 0 to `<eos>` 4, `|` 5. X, U, Z, O are unknown, as upstream. */
export function amplify(options: ProteinOptions = {}): ProteinTokenizer {
  return fromAlphabet(withOptions(AMPLIFY, options));
}

/** A tokenizer with a custom alphabet. Throws: ConfigError where the alphabet contradicts itself. */
export function proteinTokenizer(custom: CustomAlphabet): ProteinTokenizer {
  return fromAlphabet({
    name: custom.name,
    vocabulary: custom.vocabulary,
    special: custom.special,
    ...(custom.addedTokens === undefined ? {} : { addedTokens: custom.addedTokens }),
    template: custom.template ?? defaultTemplate(custom.special),
    policy: { ...DEFAULT_POLICY, ...custom.policy },
    separator: custom.separator ?? " ",
    modelInputNames: custom.modelInputNames ?? ESM2.modelInputNames,
  });
}

export function defaultTemplate(special: SpecialTokens): SpecialTemplate {
  const start = special.cls_token ?? special.bos_token;
  const end = special.eos_token ?? special.sep_token;
  const single = [start, "$A", end].filter((t) => t !== undefined).join(" ");
  return { single, pair: [single, "$B:1", ...(end === undefined ? [] : [`${end}:1`])].join(" ") };
}

export function withOptions(alphabet: ProteinAlphabet, options: ProteinOptions): ProteinAlphabet {
  const { separator = alphabet.separator, ...policy } = options;
  return { ...alphabet, separator, policy: { ...alphabet.policy, ...policy } };
}

function sorted(record: Readonly<Record<string, string>>): [string, string][] {
  return Object.entries(record).toSorted(([a], [b]) => (a < b ? -1 : 1));
}

/**
 * Digest of all settings that decide ids: vocabulary, special tokens, template, policy. The name and the separator of
 * `decode` are left out.
 */
function alphabetHash(alphabet: ProteinAlphabet): string {
  const { lowerCase, whiteSpace, finalStop, replace } = alphabet.policy;
  const { addedTokens = [] } = alphabet;
  return sha256(
    JSON.stringify([
      alphabet.vocabulary,
      sorted(alphabet.special),
      alphabet.template.single,
      lowerCase,
      whiteSpace,
      finalStop,
      sorted(replace),
      ...(addedTokens.length === 0
        ? []
        : [addedTokens.map((t) => [t.id, t.special, t.singleWord, t.lstrip, t.rstrip].map(Number))]),
    ]),
  );
}

/** @param remarks on the files that the alphabet comes from. */
export function fromAlphabet(alphabet: ProteinAlphabet, remarks: readonly string[] = []): ProteinTokenizer {
  const fault = alphabetFault(alphabet);
  if (fault !== undefined) throw new ConfigError(`protein tokenizer "${alphabet.name}": ${fault}`);
  // Sorted replacements, so that equal policies give equal files.
  const replace = Object.fromEntries(sorted(alphabet.policy.replace));
  return new AlphabetTokenizer({ ...alphabet, policy: { ...alphabet.policy, replace } }, remarks);
}

class AlphabetTokenizer implements ProteinTokenizer {
  readonly alphabet: ProteinAlphabet;
  readonly name: string;
  readonly vocabulary: readonly string[];
  readonly policy: ProteinPolicy;
  readonly special: SpecialIds;
  readonly specialIds: ReadonlySet<number>;
  readonly regularIds: readonly number[];
  readonly hash: string;
  readonly remarks: readonly string[];
  readonly #ids: ReadonlyMap<string, number>;
  readonly #frame: { readonly before: readonly number[]; readonly after: readonly number[] };
  readonly #split: (text: string) => readonly Part[];
  readonly #actions: ReturnType<typeof characterActions>;
  /** Scratch counter of `encode`, reset for each text. It saves three arrays per text. */
  readonly #counter: IssueCounter = new IssueCounter();

  constructor(alphabet: ProteinAlphabet, remarks: readonly string[]) {
    this.alphabet = alphabet;
    this.remarks = remarks;
    ({ name: this.name, vocabulary: this.vocabulary, policy: this.policy } = alphabet);
    this.#ids = new Map(alphabet.vocabulary.map((token, id) => [token, id]));
    const idOf = (token: string): number => {
      const id = this.#ids.get(token);
      if (id === undefined)
        throw new ConfigError(
          `protein tokenizer "${alphabet.name}": expected the template to name tokens of the vocabulary, got ` +
            `${JSON.stringify(token)}. Add it or mend the template.`,
        );
      return id;
    };
    const sides = templateSides(alphabet.template);
    this.#frame = { before: sides.before.map(idOf), after: sides.after.map(idOf) };
    // idOf throws for a missing token, so the result is never undefined
    this.special = specialIds(alphabet.special, alphabet.template, idOf) as SpecialIds;
    const { addedTokens = [] } = alphabet;
    this.specialIds = new Set([
      ...Object.values(alphabet.special).map(idOf),
      ...addedTokens.filter((token) => token.special).map((token) => token.id),
    ]);
    this.regularIds = alphabet.vocabulary.flatMap((token, id) =>
      isCharacter(token) && !this.specialIds.has(id) ? [id] : [],
    );
    const forms = new Map(addedTokens.map((token) => [token.content, token]));
    this.#split = addedTokenSplitter(
      alphabet.vocabulary.flatMap((content, id) => {
        const special = this.specialIds.has(id);
        const form = forms.get(content) ?? (isCharacter(content) && !special ? undefined : { id, content, special });
        return form === undefined ? [] : [[content, form] as const];
      }),
    );
    this.#actions = characterActions(alphabet);
    this.hash = alphabetHash(alphabet);
  }

  encode(text: string, options: EncodeOptions = {}): Encoding {
    const issues = this.#counter;
    issues.reset();
    const body: BodyWriter = { ids: new Int32Array(text.length), offsets: new Int32Array(2 * text.length), count: 0 };
    for (const part of this.#split(text)) {
      if (part.id === undefined) encodeText(this.#actions, text, part.start, part.end, body, issues);
      else {
        body.ids[body.count] = part.id;
        body.offsets.set([part.start, part.end], 2 * body.count++);
      }
    }
    return frameEncoding(body, this.#frame, issues.issues(), options);
  }

  encodeBytes(
    source: Uint8Array,
    start: number,
    end: number,
    out: Uint8Array,
    at: number,
    issues: IssueCounter,
  ): number {
    return encodeBytes(this.#actions, source, start, end, out, at, issues);
  }

  decode(ids: ArrayLike<number>, options: { readonly skipSpecial?: boolean } = {}): string {
    const { skipSpecial = true } = options;
    const tokens: string[] = [];
    for (let i = 0; i < ids.length; i++) {
      const id = ids[i] as number;
      const token = this.vocabulary[id];
      if (token === undefined)
        throw new ConfigError(
          `decode: expected ids 0 to ${this.vocabulary.length - 1} of "${this.name}", got ${id} at position ` +
            `${i}. Were the ids made with another tokenizer?`,
        );
      if (!skipSpecial || !this.specialIds.has(id)) tokens.push(token);
    }
    return tokens.join(this.alphabet.separator);
  }

  idOf(token: string): number | undefined {
    return this.#ids.get(token);
  }

  files(): Readonly<Record<string, string>> {
    return alphabetFiles(this.alphabet);
  }
}
