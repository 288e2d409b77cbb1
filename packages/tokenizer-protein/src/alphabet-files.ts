/**
 * The writer of an alphabet's four files for Python `transformers`. A normalizer expresses the policy, so
 * `AutoTokenizer.from_pretrained(dir)` gives equal ids for every text.
 *
 * The class is PreTrainedTokenizerFast, because the upstream classes cannot express the policy: EsmTokenizer makes one
 * `<unk>` of a whole run of unknown letters and knows no lower case, and BertTokenizer makes one `[UNK]` of residues
 * without spaces between them. To get the upstream behaviour, load the same folder with `EsmTokenizer` or
 * `BertTokenizer`: vocab.txt fits them. The policy is also under the key "cloze" in tokenizer_config.json, as data.
 * Python keeps this key when it saves the file again.
 */
import {
  templateJson,
  writeSpecialTokensMap,
  writeTokenizerConfig,
  writeTokenizerJson,
  writeVocabTxt,
  type AddedToken,
  type JsonValue,
} from "@cloze/tokenizer";
import { LOWER_CASE, WHITE_SPACE, isCharacter, type ProteinAlphabet } from "./alphabet.ts";

export function alphabetFiles(alphabet: ProteinAlphabet): Readonly<Record<string, string>> {
  const { vocabulary, special, policy } = alphabet;
  const roles = new Set<string>(Object.values(special));
  const forms = new Map(alphabet.addedTokens?.map((token) => [token.content, token]));
  const addedTokens: AddedToken[] = vocabulary.flatMap((content, id) => {
    const special = roles.has(content);
    return forms.get(content) ?? (isCharacter(content) && !special ? [] : { id, content, special });
  });
  const tokenizerJson = writeTokenizerJson({
    addedTokens,
    normalizer: normalizerJson(alphabet),
    // Splits into single characters. "." would skip line ends where the policy keeps white space.
    preTokenizer: { type: "Split", pattern: { Regex: "[\\s\\S]" }, behavior: "Isolated", invert: false },
    postProcessor: templateJson(alphabet.template, (token) => {
      const id = vocabulary.indexOf(token);
      return id < 0 ? undefined : id;
    }),
    decoder: alphabet.separator === "" ? { type: "Fuse" } : null,
    model: {
      type: "WordLevel",
      vocab: Object.fromEntries(vocabulary.map((token, id) => [token, id])),
      unk_token: special.unk_token,
    },
  });
  const { lowerCase, whiteSpace, finalStop, replace } = policy;
  return {
    "tokenizer.json": tokenizerJson,
    "vocab.txt": writeVocabTxt(vocabulary),
    "tokenizer_config.json": writeTokenizerConfig({
      tokenizerClass: "PreTrainedTokenizerFast",
      modelInputNames: alphabet.modelInputNames,
      special,
      addedTokens,
      extra: { cloze: { name: alphabet.name, lowerCase, whiteSpace, finalStop, replace } },
    }),
    "special_tokens_map.json": writeSpecialTokensMap(special),
  };
}

/**
 * The policy as a chain of replacements. Python first splits the text at its special tokens, then runs the chain on
 * each part between them.
 */
function normalizerJson({ vocabulary, policy }: ProteinAlphabet): JsonValue {
  const steps: JsonValue[] = [];
  const tokens = new Set(vocabulary);
  const replaceText = (from: string, to: string): void => {
    steps.push({ type: "Replace", pattern: { String: from }, content: to });
  };
  const removeMatches = (pattern: string): void => {
    steps.push({ type: "Replace", pattern: { Regex: pattern }, content: "" });
  };
  if (policy.whiteSpace === "drop")
    removeMatches(`[${[...WHITE_SPACE].map((c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`).join("")}]`);
  // After white space, so that a `*` before a line end is final. Before `replace`, which may also name `*`.
  if (policy.finalStop === "drop" && !tokens.has("*") && !("*" in policy.replace)) removeMatches("\\*+$");
  if (policy.lowerCase === "upper") {
    for (const lower of LOWER_CASE)
      if (!tokens.has(lower) && !(lower in policy.replace)) replaceText(lower, lower.toUpperCase());
  }
  for (const [from, to] of Object.entries(policy.replace)) replaceText(from, to);
  return { type: "Sequence", normalizers: steps };
}
