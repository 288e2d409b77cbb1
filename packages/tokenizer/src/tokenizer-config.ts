/**
 * A reader and a writer of tokenizer_config.json and special_tokens_map.json: the class that Python `transformers`
 * builds, and the special tokens by role.
 */
import { FormatError } from "@cloze/errors";
import { describeJson, isJsonObject, parseJsonObject, type JsonObject, type JsonValue } from "./json-file.ts";
import { SPECIAL_ROLES, type SpecialRole, type SpecialTokens } from "./special-tokens.ts";
import { addedTokenJson, type AddedToken } from "./added-token.ts";

export interface TokenizerConfig {
  /** For example "EsmTokenizer", "BertTokenizer", "PreTrainedTokenizerFast". */
  readonly tokenizerClass?: string;
  readonly special: { readonly [R in SpecialRole]?: string };
  /** The whole JSON object, for keys that only one package reads. */
  readonly json: JsonObject;
}

/** The tokens by role. In the file a token is a string or an object with a `content`; null means no token. */
export function readSpecialTokensMap(
  text: string,
  file = "special_tokens_map.json",
): { readonly [R in SpecialRole]?: string } {
  return rolesOf(parseJsonObject(text, file), file);
}

export function readTokenizerConfig(text: string, file = "tokenizer_config.json"): TokenizerConfig {
  const json = parseJsonObject(text, file);
  const tokenizerClass = json["tokenizer_class"];
  return { ...(typeof tokenizerClass === "string" ? { tokenizerClass } : {}), special: rolesOf(json, file), json };
}

function rolesOf(json: JsonObject, file: string): { [R in SpecialRole]?: string } {
  const roles: { [R in SpecialRole]?: string } = {};
  for (const role of SPECIAL_ROLES) {
    const value: JsonValue | undefined = json[role];
    const token = isJsonObject(value) ? value["content"] : value;
    if (token === undefined || token === null) continue;
    if (typeof token !== "string")
      throw new FormatError(
        file,
        role,
        `expected a token or an object with its content, got ${describeJson(value)}. Write the token as a string.`,
      );
    roles[role] = token;
  }
  return roles;
}

export interface TokenizerConfigParts {
  readonly tokenizerClass: string;
  /** Inputs of the model's forward. A Python class gives `token_type_ids` only where this list names them. */
  readonly modelInputNames: readonly string[];
  readonly special: SpecialTokens;
  readonly addedTokens: readonly AddedToken[];
  /** Further keys. Python keeps them when it saves the file again. */
  readonly extra?: JsonObject;
}

export function writeTokenizerConfig(parts: TokenizerConfigParts): string {
  return `${JSON.stringify(
    {
      tokenizer_class: parts.tokenizerClass,
      model_input_names: parts.modelInputNames,
      // With true, Python's decode would turn "A ." into "A.", and "." is a residue of some alphabets.
      clean_up_tokenization_spaces: false,
      ...parts.special,
      added_tokens_decoder: Object.fromEntries(parts.addedTokens.map((t) => [String(t.id), addedTokenJson(t)])),
      ...parts.extra,
    },
    null,
    2,
  )}\n`;
}

export function writeSpecialTokensMap(special: SpecialTokens): string {
  return `${JSON.stringify(special, null, 2)}\n`;
}
