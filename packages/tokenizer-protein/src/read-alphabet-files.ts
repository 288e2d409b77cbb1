/**
 * The reader of a protein tokenizer's files, from our checkpoints or those of ESM-2, ProtBert, AMPLIFY and their
 * descendants.
 *
 * Vocabulary: tokenizer.json, else vocab.txt. Where both exist, they must agree.
 * Added and special tokens: as the class of Python `transformers` reads them that opens the files, with the same ids
 * (see @cloze/tokenizer, named-tokens.ts). Roles that nothing names: the published alphabet's with this vocabulary,
 * else the usual spellings.
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
  readTemplate,
  readTokenizerConfig,
  readTokenizerJson,
  readVocabTxt,
  tokensOfLines,
  type AddedToken,
  type JsonObject,
  type JsonValue,
  type ModelTokens,
  type SpecialRole,
  type SpecialTokens,
  type TokenizerConfig,
  type TokenizerJson,
} from "@cloze/tokenizer";
import { compareVocabTxt, isOwn, pythonReading, readTokens, type PythonReading } from "@cloze/tokenizer/internal";
import {
  DEFAULT_POLICY,
  alphabetFault,
  isCharacter,
  isUnusedName,
  type ProteinAlphabet,
  type ProteinOptions,
  type ProteinPolicy,
} from "./alphabet.ts";
import { ALPHABETS, ESM2, PROTBERT } from "./alphabets.ts";
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
 * @param files texts by file name. tokenizer.json or vocab.txt is required; tokenizer_config.json,
 * special_tokens_map.json, added_tokens.json and config.json (for the model's class) are optional.
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
  if (json !== undefined) refuseOtherModels(json);
  const named = pythonReading(files);
  const listed =
    vocabText === undefined ? undefined : readVocabTxt(vocabText, "vocab.txt", named === "esm" ? "esm" : "bert");
  if (json === undefined && listed === undefined) {
    throw new FormatError(
      "tokenizer.json or vocab.txt",
      "",
      `expected one of them, got ${Object.keys(files).join(", ") || "no files"}. Download the tokenizer files ` +
        "that stand beside the weights.",
    );
  }
  const config = configText === undefined ? undefined : readTokenizerConfig(configText);
  const model = json?.modelTokens ?? tokensOfLines(listed ?? []);
  const known = ALPHABETS.find(
    (a) => a.vocabulary.length === model.ids.size && a.vocabulary.every((token, id) => model.ids.get(token) === id),
  );
  const { vocabulary, modelSize, addedTokens, special, remarks } = readTokens(files, {
    reading: readingOf(named, files, json, model),
    model,
    json,
    file: json === undefined ? "vocab.txt" : "tokenizer.json",
    usual: (tokens) => known?.special ?? usualTokens(tokens),
  });
  if (json !== undefined && listed !== undefined) compareVocabTxt(vocabulary, listed, modelSize);
  const saved = savedPolicy(config);
  const found = addedTokens.filter((token) => !isFoundAnyway(token, special));
  const alphabet: ProteinAlphabet = withOptions(
    {
      name: saved.name ?? known?.name ?? "protein",
      vocabulary,
      special,
      ...(found.length === 0 ? {} : { addedTokens: found.map(formInText) }),
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
  return fromAlphabet(alphabet, remarks);
}

/**
 * Where no file names a class, the vocabulary does: EsmTokenizer's or BertTokenizer's, if it has all tokens of the
 * class.
 */
function readingOf(
  named: PythonReading | undefined,
  files: Readonly<Record<string, string>>,
  json: TokenizerJson | undefined,
  { ids }: ModelTokens,
): PythonReading {
  if (isOwn(files)) return "whole";
  if (named === "esm" || named === "bert") return named;
  if (json !== undefined || named !== undefined) return "whole";
  if (Object.values(ESM2.special).every((token) => ids.has(token))) return "esm";
  return Object.values(PROTBERT.special).every((token) => ids.has(token)) ? "bert" : "whole";
}

/** True for a token that any alphabet with this vocabulary finds: a residue, a role, an unused token. */
function isFoundAnyway({ content, ...form }: AddedToken, special: SpecialTokens): boolean {
  const role = Object.values(special).includes(content);
  const bare = form.singleWord !== true && form.lstrip !== true && form.rstrip !== true;
  return bare && form.special === role && (role || isCharacter(content) || isUnusedName(content));
}

/** The token as it is found in a text, which no normalizer has changed. */
function formInText({ normalized: _, ...token }: AddedToken): AddedToken {
  return token;
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

function usualTokens(vocabulary: ReadonlySet<string>): { [R in SpecialRole]?: string } {
  return Object.fromEntries(
    SPECIAL_ROLES.flatMap((role) =>
      USUAL[role]
        .filter((t) => vocabulary.has(t))
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
