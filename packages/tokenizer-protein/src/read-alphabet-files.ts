/**
 * The reader of a protein tokenizer's files, from our checkpoints or those of ESM-2, ProtBert, AMPLIFY and their
 * descendants.
 *
 * Vocabulary: tokenizer.json, else vocab.txt. Where both exist, they must agree.
 * Special tokens: tokenizer_config.json, else special_tokens_map.json, else the published alphabet with this
 * vocabulary, else the usual spellings.
 * Template: the post_processor of tokenizer.json; without this file the published alphabet's, else start and end token.
 * Policy: the options, else the "cloze" entry of our own tokenizer_config.json, else the published alphabet's policy,
 * else the default.
 * The normalizer of tokenizer.json is not run. It matters only for characters that are not plain residues, and our
 * policy decides about them.
 */
import { FormatError } from "@cloze/errors";
import {
  SPECIAL_ROLES,
  describeJson,
  isJsonObject,
  readSpecialTokensMap,
  readTemplate,
  readTokenizerConfig,
  readTokenizerJson,
  readVocabTxt,
  type JsonObject,
  type JsonValue,
  type SpecialRole,
  type SpecialTokens,
  type TokenizerConfig,
  type TokenizerJson,
} from "@cloze/tokenizer";
import {
  DEFAULT_POLICY,
  alphabetFault,
  type ProteinAlphabet,
  type ProteinOptions,
  type ProteinPolicy,
} from "./alphabet.ts";
import { ALPHABETS, ESM2 } from "./alphabets.ts";
import { defaultTemplate, fromAlphabet, withOptions, type ProteinTokenizer } from "./protein-tokenizer.ts";

const USUAL: { readonly [R in SpecialRole]: readonly string[] } = {
  unk_token: ["<unk>", "[UNK]"],
  pad_token: ["<pad>", "[PAD]"],
  mask_token: ["<mask>", "[MASK]"],
  cls_token: ["<cls>", "[CLS]"],
  sep_token: ["<sep>", "[SEP]"],
  bos_token: ["<bos>", "<s>"],
  eos_token: ["<eos>", "</s>"],
};

/**
 * @param files texts by file name. Names other than the four are ignored. tokenizer.json or vocab.txt is required.
 * @param options override the values of the files.
 */
export function proteinTokenizerFromFiles(
  files: Readonly<Record<string, string>>,
  options: ProteinOptions = {},
): ProteinTokenizer {
  const jsonText = files["tokenizer.json"];
  const vocabText = files["vocab.txt"];
  const configText = files["tokenizer_config.json"];
  const json = jsonText === undefined ? undefined : readTokenizerJson(jsonText);
  const listed = vocabText === undefined ? undefined : readVocabTxt(vocabText);
  const vocabulary = json?.vocabulary ?? listed;
  if (vocabulary === undefined) {
    throw new FormatError(
      "tokenizer.json or vocab.txt",
      "",
      `expected one of them, got ${Object.keys(files).join(", ") || "no files"}. Download the tokenizer files ` +
        "that stand beside the weights.",
    );
  }
  if (json !== undefined) refuseOtherModels(json);
  if (json !== undefined && listed !== undefined) compareVocabularies(json.vocabulary, listed);
  const config = configText === undefined ? undefined : readTokenizerConfig(configText);
  const known = ALPHABETS.find(
    (a) => a.vocabulary.length === vocabulary.length && a.vocabulary.every((t, id) => t === vocabulary[id]),
  );
  const special = specialTokens(files, config, known, vocabulary, json === undefined ? "vocab.txt" : "tokenizer.json");
  const saved = savedPolicy(config);
  const alphabet: ProteinAlphabet = withOptions(
    {
      name: saved.name ?? known?.name ?? "protein",
      vocabulary,
      special,
      template: json === undefined ? (known?.template ?? defaultTemplate(special)) : readTemplate(json.postProcessor),
      policy: { ...DEFAULT_POLICY, ...known?.policy, ...saved.policy },
      separator: isJsonObject(json?.decoder) && json.decoder["type"] === "Fuse" ? "" : " ",
      modelInputNames: inputNames(config) ?? known?.modelInputNames ?? ESM2.modelInputNames,
    },
    options,
  );
  const fault = alphabetFault(alphabet);
  if (fault !== undefined) {
    throw new FormatError(
      json === undefined ? "vocab.txt" : "tokenizer.json",
      json === undefined ? "" : `model (${json.modelType})`,
      fault,
    );
  }
  return fromAlphabet(alphabet);
}

/**
 * Throws: FormatError for a model that joins characters (BPE with merges, Unigram). A model that maps single characters
 * passes: WordLevel, or another type without merges and scores.
 */
function refuseOtherModels({ modelType, model }: TokenizerJson): void {
  const merges = model["merges"];
  const joins = Array.isArray(merges) ? merges.length : 0;
  if (modelType === "Unigram" || (modelType === "BPE" && joins > 0)) {
    const other = modelType === "BPE" ? `BPE with ${joins} merges` : modelType;
    throw new FormatError(
      "tokenizer.json",
      "model.type",
      `expected a protein alphabet (WordLevel over single residues), got ${other}. Read it with the ` +
        `${modelType === "BPE" ? "@cloze/tokenizer-bpe" : "@cloze/tokenizer-unigram"} package.`,
    );
  }
}

function compareVocabularies(json: readonly string[], listed: readonly string[]): void {
  const length = Math.max(json.length, listed.length);
  const at = Array.from({ length }, (_, id) => id).find((id) => json[id] !== listed[id]);
  if (at === undefined) return;
  throw new FormatError(
    "vocab.txt",
    `line ${at + 1}`,
    `expected ${describeJson(json[at])} as in tokenizer.json, got ${describeJson(listed[at])}. The two belong to ` +
      "different tokenizers: leave the wrong one out.",
  );
}

function specialTokens(
  files: Readonly<Record<string, string>>,
  config: TokenizerConfig | undefined,
  known: ProteinAlphabet | undefined,
  vocabulary: readonly string[],
  vocabularyFile: string,
): SpecialTokens {
  const map = files["special_tokens_map.json"];
  const named = { ...(map === undefined ? {} : readSpecialTokensMap(map)), ...config?.special };
  const tokens: { [R in SpecialRole]?: string } = { ...(known?.special ?? usualTokens(vocabulary)), ...named };
  const { unk_token, pad_token } = tokens;
  if (unk_token === undefined || pad_token === undefined) {
    const role = unk_token === undefined ? "unk_token" : "pad_token";
    throw new FormatError(
      vocabularyFile,
      "",
      `expected a token for the role ${role} (${USUAL[role].join(" or ")}), got none. Name it in ` +
        "special_tokens_map.json, or is this another kind of vocabulary?",
    );
  }
  for (const role of SPECIAL_ROLES) {
    const token = tokens[role];
    if (token !== undefined && !vocabulary.includes(token)) {
      const file =
        config?.special[role] === undefined && map !== undefined ? "special_tokens_map.json" : "tokenizer_config.json";
      throw new FormatError(
        file,
        role,
        `expected a token of ${vocabularyFile}, got ${JSON.stringify(token)}. Do the files come from the same ` +
          "checkpoint?",
      );
    }
  }
  return { ...tokens, unk_token, pad_token };
}

function usualTokens(vocabulary: readonly string[]): { [R in SpecialRole]?: string } {
  return Object.fromEntries(
    SPECIAL_ROLES.flatMap((role) =>
      USUAL[role]
        .filter((t) => vocabulary.includes(t))
        .slice(0, 1)
        .map((t) => [role, t]),
    ),
  );
}

function inputNames(config: TokenizerConfig | undefined): readonly string[] | undefined {
  const names = config?.json["model_input_names"];
  return Array.isArray(names) && names.every((n: JsonValue) => typeof n === "string")
    ? (names as readonly string[])
    : undefined;
}

const CHOICES = {
  lowerCase: ["upper", "unknown"],
  whiteSpace: ["drop", "unknown"],
  finalStop: ["drop", "unknown"],
} as const;

/** Name and policy from the "cloze" entry of our own tokenizer_config.json. */
function savedPolicy(config: TokenizerConfig | undefined): {
  readonly name?: string;
  readonly policy: Partial<ProteinPolicy>;
} {
  const saved = config?.json["cloze"];
  if (saved === undefined) return { policy: {} };
  const fail = (key: string, expected: string, got: JsonValue | undefined): never => {
    throw new FormatError(
      "tokenizer_config.json",
      key,
      `expected ${expected}, got ${describeJson(got)}. Remove the entry to fall back on the alphabet's own policy.`,
    );
  };
  if (!isJsonObject(saved)) return fail("cloze", "an object", saved);
  const choice = <K extends keyof typeof CHOICES>(key: K): (typeof CHOICES)[K][number] => {
    const options: readonly (typeof CHOICES)[K][number][] = CHOICES[key];
    return (
      options.find((o) => o === saved[key]) ??
      fail(`cloze.${key}`, options.map((o) => `"${o}"`).join(" or "), saved[key])
    );
  };
  const name = saved["name"];
  const replace: JsonValue | undefined = saved["replace"];
  return {
    ...(typeof name === "string" ? { name } : {}),
    policy: {
      lowerCase: choice("lowerCase"),
      whiteSpace: choice("whiteSpace"),
      finalStop: choice("finalStop"),
      replace: isStringRecord(replace)
        ? replace
        : fail("cloze.replace", "an object from character to character", replace),
    },
  };
}

function isStringRecord(value: JsonValue | undefined): value is JsonObject & Readonly<Record<string, string>> {
  return isJsonObject(value) && Object.values(value).every((v) => typeof v === "string");
}
