/** The tokens of a checkpoint's files: vocabulary, added tokens and special tokens, with the ids that Python gives. */
import { FormatError } from "@cloze/errors";
import { addTokens, addTokensById, loadTokens, type JoinedTokens } from "./add-tokens.ts";
import { isJsonObject, parseJsonObject } from "./json-file.ts";
import type { ModelTokens } from "./model-tokens.ts";
import { namedTokens, type NamedTokens, type TokenForm } from "./named-tokens.ts";
import type { PythonReading } from "./python-class.ts";
import { SPECIAL_ROLES, type SpecialRole, type SpecialTokens } from "./special-tokens.ts";
import type { TokenizerJson } from "./tokenizer-json.ts";

type Roles = { readonly [R in SpecialRole]?: string };

/** The tokens that a class has for roles that no file names. */
const CLASS_ROLES: { readonly [R in PythonReading]: Roles } = {
  whole: {},
  bert: roles("[UNK]", "[SEP]", "[PAD]", "[CLS]", "[MASK]"),
  dpr: roles("[UNK]", "[SEP]", "[PAD]", "[CLS]", "[MASK]"),
  convbert: roles("[UNK]", "[SEP]", "[PAD]", "[CLS]", "[MASK]"),
  mpnet: { ...roles("[UNK]", "</s>", "<pad>", "<s>", "<mask>"), bos_token: "<s>", eos_token: "</s>" },
  roberta: { ...roles("<unk>", "</s>", "<pad>", "<s>", "<mask>"), bos_token: "<s>", eos_token: "</s>" },
  esm: { unk_token: "<unk>", pad_token: "<pad>", cls_token: "<cls>", eos_token: "<eos>", mask_token: "<mask>" },
};

function roles(unk_token: string, sep_token: string, pad_token: string, cls_token: string, mask_token: string): Roles {
  return { unk_token, sep_token, pad_token, cls_token, mask_token };
}

export interface FileTokens extends JoinedTokens {
  readonly special: SpecialTokens;
  /** Differences between the ids that the files name and the ids that Python gives, a sentence each. */
  readonly remarks: readonly string[];
}

export interface TokenSources {
  readonly reading: PythonReading;
  readonly model: ModelTokens;
  /** The parsed tokenizer.json, where there is one. */
  readonly json: TokenizerJson | undefined;
  /** File that holds the model's tokens, for messages. */
  readonly file: string;
  /** Tokens for roles that neither the files nor the class name, where the vocabulary has them. */
  readonly usual: (vocabulary: ReadonlySet<string>) => Roles;
}

/** Throws: FormatError where an id has two tokens, or where no token is the unknown or the padding token. */
export function readTokens(
  files: Readonly<Record<string, string>>,
  { reading, model, json, file, usual }: TokenSources,
): FileTokens {
  // Files of cloze name all their roles.
  const ofClass = isOwn(files) ? {} : CLASS_ROLES[reading];
  const named = namedTokens(files, formsOf(ofClass, reading), json?.addedTokens);
  const readsAdded = reading === "whole" || reading === "convbert";
  const joined =
    reading === "esm"
      ? addTokensById(model, named, file)
      : addTokens(model, named, readsAdded && json !== undefined ? loadTokens(model, json.addedTokens) : [], file);
  const special: { [R in SpecialRole]?: string } = { ...usual(new Set(joined.vocabulary)) };
  for (const role of SPECIAL_ROLES) {
    const content = named.roles[role]?.content;
    if (content !== undefined) special[role] = content;
  }
  const { unk_token, pad_token } = special;
  if (unk_token === undefined || pad_token === undefined) {
    const role = unk_token === undefined ? "unk_token" : "pad_token";
    throw new FormatError(
      file,
      "",
      `expected a token for the role ${role}, got none. Name it in special_tokens_map.json, or is this another kind ` +
        "of vocabulary?",
    );
  }
  return { ...joined, special: { ...special, unk_token, pad_token }, remarks: remarksOf(named, joined) };
}

/** True for files that cloze has written. */
export function isOwn(files: Readonly<Record<string, string>>): boolean {
  const text = files["tokenizer_config.json"];
  return text !== undefined && isJsonObject(parseJsonObject(text, "tokenizer_config.json")["cloze"]);
}

function formsOf(tokens: Roles, reading: PythonReading): { [R in SpecialRole]?: TokenForm } {
  return Object.fromEntries(
    SPECIAL_ROLES.flatMap((role) => {
      const content = tokens[role];
      if (content === undefined) return [];
      return [
        [role, { content, special: true, ...(reading === "mpnet" && role === "mask_token" ? { lstrip: true } : {}) }],
      ];
    }),
  );
}

function remarksOf(named: NamedTokens, { addedTokens }: JoinedTokens): readonly string[] {
  const idOf = new Map(addedTokens.map(({ content, id }) => [content, id]));
  return named.added.flatMap(({ id, content }) => {
    const given = idOf.get(content);
    if (given === undefined || given === id) return [];
    return [
      `the files name the id ${id} for the added token ${JSON.stringify(content)}; as in Python its id is ${given}`,
    ];
  });
}
