/**
 * The tokens that a checkpoint's files name beside the vocabulary: special tokens by role, further special tokens, and
 * added tokens.
 *
 * tokenizer_config.json with an `added_tokens_decoder` says all of it. Without, special_tokens_map.json overrides the
 * roles of tokenizer_config.json, and the added tokens are those of added_tokens.json and of tokenizer.json.
 * Source: PreTrainedTokenizerBase.from_pretrained of transformers 5.24.0.
 */
import { FormatError } from "@cloze/errors";
import { addedToken, type AddedToken } from "./added-token.ts";
import { describeJson, isJsonObject, parseJsonObject, type JsonObject, type JsonValue } from "./json-file.ts";
import { SPECIAL_ROLES, type SpecialRole } from "./special-tokens.ts";

/** An added token that has no id yet. */
export type TokenForm = Omit<AddedToken, "id">;

export interface NamedTokens {
  readonly roles: { readonly [R in SpecialRole]?: TokenForm };
  /** The tokens that have a role, with those of keys of one's own (`image_token`). */
  readonly named: ReadonlySet<string>;
  /** Special tokens without a role, in the order in which Python adds them. */
  readonly further: readonly TokenForm[];
  /** Added tokens, in the order of the ids that the files name. Python may give other ids. */
  readonly added: readonly AddedToken[];
}

const CONFIG_FILE = "tokenizer_config.json";
const MAP_FILE = "special_tokens_map.json";
const ADDED_FILE = "added_tokens.json";
const AGAIN = "Save the tokenizer again from Python.";

/**
 * @param defaults the tokens of the class, for roles that the files do not name.
 * @param ofTokenizerJson the added tokens of tokenizer.json.
 */
export function namedTokens(
  files: Readonly<Record<string, string>>,
  defaults: { readonly [R in SpecialRole]?: TokenForm },
  ofTokenizerJson: readonly AddedToken[] = [],
): NamedTokens {
  const config = readObject(files, CONFIG_FILE);
  const decoder = config["added_tokens_decoder"];
  const map = decoder === undefined ? readObject(files, MAP_FILE) : {};
  const both = { ...config, ...map };
  const roles: { [R in SpecialRole]?: TokenForm } = {};
  for (const role of SPECIAL_ROLES) {
    const form = tokenForm(both[role], role in map ? MAP_FILE : CONFIG_FILE, role);
    if (form !== undefined) roles[role] = form;
  }
  const listed = furtherList(config, map);
  const added =
    decoder === undefined
      ? legacyAdded(
          files,
          [...Object.values(roles), ...listed.known].map((t) => t.content),
          ofTokenizerJson,
        )
      : decoderTokens(decoder);
  const forms = new Map(added.map((token) => [token.content, token]));
  for (const role of SPECIAL_ROLES) {
    const form = roles[role] ?? defaults[role];
    if (form !== undefined) roles[role] = (role in roles ? forms.get(form.content) : undefined) ?? form;
  }
  const own = [...ownRoles(map, MAP_FILE), ...ownRoles(config, CONFIG_FILE)];
  return {
    roles,
    named: new Set([...Object.values(roles), ...own].map((token) => token.content)),
    further: [...own, ...listed.all],
    added,
  };
}

/** A token of a file: a text, or an object with its content. Undefined for null and nothing. */
function tokenForm(value: JsonValue | undefined, file: string, place: string): TokenForm | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === "string") return { content: value, special: true };
  const content = isJsonObject(value) ? value["content"] : undefined;
  if (!isJsonObject(value) || typeof content !== "string")
    throw new FormatError(
      file,
      place,
      `expected a token or an object with its content, got ${describeJson(value)}. Write the token as a string.`,
    );
  return formOf({ ...value, special: true }, content);
}

/** A token's entry. Python's default of `normalized` is true, but false for a special token. */
function formOf(entry: JsonObject, content: string): TokenForm {
  const { id: _, ...form } = addedToken({ normalized: entry["special"] !== true, ...entry }, 0, content);
  return form;
}

/** Special tokens under keys of one's own, such as `image_token`. */
function ownRoles(json: JsonObject, file: string): readonly TokenForm[] {
  const roles: readonly string[] = SPECIAL_ROLES;
  return Object.entries(json).flatMap(([key, value]) => {
    const typed = isJsonObject(value) && value["__type"] === "AddedToken";
    if (roles.includes(key) || !key.endsWith("_token") || (typeof value !== "string" && !typed)) return [];
    return tokenForm(value, file, key) ?? [];
  });
}

/** The lists of further special tokens. `known`: those that added_tokens.json need not mark as special. */
function furtherList(
  config: JsonObject,
  map: JsonObject,
): { readonly all: readonly TokenForm[]; readonly known: readonly TokenForm[] } {
  const read = (json: JsonObject, key: string, file: string): readonly TokenForm[] => {
    const value = json[key];
    const entries = isJsonObject(value) ? Object.values(value) : (value ?? []);
    if (!Array.isArray(entries))
      throw new FormatError(file, key, `expected a list of tokens, got ${describeJson(value)}. ${AGAIN}`);
    return (entries as readonly JsonValue[]).flatMap((entry, i) => tokenForm(entry, file, `${key}[${i}]`) ?? []);
  };
  const ofConfig = read(config, "extra_special_tokens", CONFIG_FILE);
  const own = ofConfig.length > 0 ? ofConfig : read(config, "additional_special_tokens", CONFIG_FILE);
  const extra = read(map, "extra_special_tokens", MAP_FILE);
  const known = [...own, ...extra.filter(({ content }) => !own.some((token) => token.content === content))];
  const named =
    "extra_special_tokens" in map || "extra_special_tokens" in config || "additional_special_tokens" in config;
  return { all: named ? known : read(map, "additional_special_tokens", MAP_FILE), known };
}

function decoderTokens(decoder: JsonValue): readonly AddedToken[] {
  if (!isJsonObject(decoder))
    throw new FormatError(
      CONFIG_FILE,
      "added_tokens_decoder",
      `expected an object from id to token, got ${describeJson(decoder)}. ${AGAIN}`,
    );
  const tokens = Object.entries(decoder).map(([key, entry]): AddedToken => {
    const place = `added_tokens_decoder["${key}"]`;
    const content = isJsonObject(entry) ? entry["content"] : undefined;
    if (!isJsonObject(entry) || typeof content !== "string")
      throw new FormatError(
        CONFIG_FILE,
        place,
        `expected an object with a content, got ${describeJson(entry)}. ${AGAIN}`,
      );
    return { id: idOf(/^\d+$/.test(key) ? Number(key) : key, CONFIG_FILE, place), ...formOf(entry, content) };
  });
  return tokens.toSorted((a, b) => a.id - b.id);
}

/** The added tokens of added_tokens.json and tokenizer.json, by id. At one id the token of tokenizer.json counts. */
function legacyAdded(
  files: Readonly<Record<string, string>>,
  special: readonly string[],
  ofTokenizerJson: readonly AddedToken[],
): readonly AddedToken[] {
  const byId = new Map<number, AddedToken>();
  for (const [content, value] of Object.entries(readObject(files, ADDED_FILE))) {
    const id = idOf(value, ADDED_FILE, JSON.stringify(content));
    byId.set(id, {
      id,
      content,
      ...(special.includes(content) ? { special: true } : { special: false, normalized: true }),
    });
  }
  for (const token of ofTokenizerJson) byId.set(token.id, token);
  return [...byId.values()].toSorted((a, b) => a.id - b.id);
}

function idOf(value: JsonValue, file: string, place: string): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  throw new FormatError(file, place, `expected an id (a whole number from 0), got ${describeJson(value)}. ${AGAIN}`);
}

function readObject(files: Readonly<Record<string, string>>, name: string): JsonObject {
  const text = files[name];
  return text === undefined ? {} : parseJsonObject(text, name);
}
