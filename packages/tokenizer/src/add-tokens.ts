/**
 * The ids that added tokens get when Python opens a tokenizer, whatever ids its files name.
 *
 * Classes of `tokenizers` (AddedVocabulary::add_tokens): a token of the model keeps its id. Another token gets the id
 * behind all, or the number of the model's tokens where no added token has that id or a higher one.
 * EsmTokenizer: the files' ids count; only special tokens that no file lists get ids behind all tokens.
 * Source: tokenizers 0.23.3; PythonBackend of transformers 5.24.0.
 */
import { FormatError } from "@cloze/errors";
import type { AddedToken } from "./added-token.ts";
import { tokensById, type ModelTokens } from "./model-tokens.ts";
import type { NamedTokens, TokenForm } from "./named-tokens.ts";
import type { SpecialRole } from "./special-tokens.ts";

export interface JoinedTokens {
  /** Token strings; the index is the id. First the model's tokens, then the added tokens. */
  readonly vocabulary: readonly string[];
  /** Number of the model's tokens: an added token that is none of them has an id from here on. */
  readonly modelSize: number;
  /** In the order of ids. */
  readonly addedTokens: readonly AddedToken[];
}

/** Python's order of roles. */
const ROLES: readonly SpecialRole[] = [
  "bos_token",
  "eos_token",
  "unk_token",
  "sep_token",
  "pad_token",
  "cls_token",
  "mask_token",
];

/** Adds tokens as a class of `tokenizers` does. `already`: the loaded tokens of tokenizer.json, if it reads them. */
export function addTokens(
  model: ModelTokens,
  named: NamedTokens,
  already: readonly AddedToken[],
  file: string,
): JoinedTokens {
  const table = new AddedTokenTable(model);
  for (const token of already) table.add(token);
  for (const token of named.added) table.add(named.named.has(token.content) ? { ...token, special: true } : token);
  for (const token of specialTokens(named)) if (!table.tokens.has(token.content)) table.add(token);
  return joinTokens(model, [...table.tokens.values()], file);
}

/** Adds tokens as EsmTokenizer does. */
export function addTokensById(model: ModelTokens, named: NamedTokens, file: string): JoinedTokens {
  const added = new Map(named.added.map((token) => [token.content, token]));
  const fresh = [...added.keys()].filter((content) => !model.ids.has(content));
  let next = model.count + fresh.length;
  for (const { content } of specialTokens(named)) {
    const id = added.get(content)?.id ?? model.ids.get(content) ?? next++;
    added.set(content, { ...added.get(content), id, content, special: true });
  }
  return joinTokens(model, [...added.values()], file);
}

/** The added tokens of tokenizer.json with the ids that `tokenizers` gives them, in the order of the list. */
export function loadTokens(model: ModelTokens, list: readonly AddedToken[]): readonly AddedToken[] {
  const table = new AddedTokenTable(model);
  for (const token of list) table.add(token);
  return [...table.tokens.values()];
}

class AddedTokenTable {
  readonly tokens = new Map<string, AddedToken>();
  readonly #model: ModelTokens;
  #last = -1;

  constructor(model: ModelTokens) {
    this.#model = model;
  }

  /** Adds a token, or replaces the form of a token that is there. */
  add(form: TokenForm): void {
    const { content } = form;
    if (content === "") return;
    const { ids, count } = this.#model;
    const id = this.tokens.get(content)?.id ?? ids.get(content) ?? Math.max(this.#last + 1, count);
    this.#last = Math.max(this.#last, id);
    this.tokens.set(content, { ...form, id });
  }
}

function specialTokens({ roles, further }: NamedTokens): readonly TokenForm[] {
  return [...ROLES.flatMap((role) => roles[role] ?? []), ...further];
}

/** The model's tokens and added tokens that have ids. Throws: FormatError where an id has two tokens. */
export function joinTokens(model: ModelTokens, added: readonly AddedToken[], file: string): JoinedTokens {
  const ofId = new Map([...model.ids].map(([token, id]) => [id, token]));
  const ids = new Map(model.ids);
  let end = 0;
  for (const id of ofId.keys()) end = Math.max(end, id + 1);
  let modelSize = Infinity;
  for (const { id, content } of added) {
    const other = ofId.get(id) ?? content;
    if (other !== content || (id < end && model.ids.get(content) !== id))
      throw new FormatError(file, "", `${sharedId(other, content, id)} ${advice(model, end)}`);
    ofId.set(id, content);
    ids.set(content, id);
    if (id >= end) modelSize = Math.min(modelSize, id);
  }
  return {
    vocabulary: tokensById(ids),
    modelSize: modelSize === Infinity ? end : modelSize,
    addedTokens: added.toSorted((a, b) => a.id - b.id),
  };
}

function sharedId(other: string, content: string, id: number): string {
  const said = `the id ${id}, which Python gives to the added token ${JSON.stringify(content)}`;
  return other === content
    ? `expected ${said}, behind the model's tokens, got it between them.`
    : `expected one token per id, got ${JSON.stringify(other)} with ${said}.`;
}

function advice({ ids, count }: ModelTokens, end: number): string {
  if (count >= end) return "Give the added token another id.";
  const taken = new Set(ids.values());
  let free = 0;
  while (taken.has(free)) free++;
  return (
    `The id ${free}, line ${free + 1} of a vocab.txt, has no token (the line is empty or comes again), which shifts ` +
    "the ids behind the last: write a token of its own there."
  );
}
