/** The special and added tokens of a text vocabulary: defaults (BERT's), completion and checks. */
import { ConfigError } from "@cloze/errors";
import { readTemplate, templatePieces, type SpecialTemplate } from "./special-template.ts";
import { SPECIAL_ROLES, type SpecialTokens } from "./special-tokens.ts";
import type { AddedToken } from "./added-token.ts";

export const BERT_SPECIAL: Required<
  Pick<SpecialTokens, "unk_token" | "sep_token" | "pad_token" | "cls_token" | "mask_token">
> = {
  unk_token: "[UNK]",
  sep_token: "[SEP]",
  pad_token: "[PAD]",
  cls_token: "[CLS]",
  mask_token: "[MASK]",
};

/** `[CLS] $A [SEP]` and `[CLS] $A [SEP] $B:1 [SEP]:1`, without tokens that `special` lacks. */
export function bertTemplate({ cls_token, sep_token }: SpecialTokens): SpecialTemplate {
  if (cls_token === undefined && sep_token === undefined) return readTemplate(null);
  const single = [cls_token, "$A", sep_token].filter((t) => t !== undefined).join(" ");
  return { single, pair: [single, "$B:1", ...(sep_token === undefined ? [] : [`${sep_token}:1`])].join(" ") };
}

export interface TokenParts {
  readonly vocabulary: readonly string[];
  readonly special: SpecialTokens;
  readonly addedTokens?: readonly AddedToken[];
}

/**
 * The added tokens in the order of ids, completed with the special tokens that `addedTokens` lacks.
 * Throws: ConfigError for a vocabulary that cannot be used.
 *
 * @param where the start of each message.
 * @param made makes the added token for a special token.
 */
export function completeTokens(
  where: string,
  { vocabulary, special, addedTokens = [] }: TokenParts,
  made: (content: string, id: number) => AddedToken,
): readonly AddedToken[] {
  const fault = vocabularyFault(vocabulary, special);
  if (fault !== undefined) throw new ConfigError(`${where}: ${fault}`);
  const idOf = new Map(vocabulary.map((token, id) => [token, id]));
  const known = new Set(addedTokens.map((t) => t.content));
  const roles = [...new Set(SPECIAL_ROLES.flatMap((role) => special[role] ?? []))].filter((token) => !known.has(token));
  return [...addedTokens, ...roles.map((content) => made(content, idOf.get(content) as number))].toSorted(
    (a, b) => a.id - b.id,
  );
}

/** Throws: ConfigError where the vocabulary lacks an added token or a token of the template. */
export function checkTokens(
  where: string,
  { vocabulary, addedTokens, template }: Required<Omit<TokenParts, "special">> & { readonly template: SpecialTemplate },
): void {
  for (const { id, content } of addedTokens) {
    if (vocabulary[id] !== content)
      throw new ConfigError(
        `${where}: expected the added token ${JSON.stringify(content)} at id ${id} of the vocabulary, got ` +
          `${JSON.stringify(vocabulary[id])} there. Give its id.`,
      );
  }
  const tokens = new Set(vocabulary);
  for (const { token } of [...templatePieces(template.single), ...templatePieces(template.pair)]) {
    if (token !== undefined && !tokens.has(token))
      throw new ConfigError(
        `${where}: expected the template to name tokens of the vocabulary, got ${JSON.stringify(token)}. Add it ` +
          "or mend the template.",
      );
  }
}

/** The special tokens in a fixed order of roles, so that equal tokens give equal files. */
export function inOrder(special: SpecialTokens): SpecialTokens {
  const { unk_token, pad_token } = special;
  return {
    ...Object.fromEntries(
      SPECIAL_ROLES.flatMap((role) => (special[role] === undefined ? [] : [[role, special[role]]])),
    ),
    unk_token,
    pad_token,
  };
}

/** The fault of a vocabulary that cannot be used, as text for a message, or undefined. */
export function vocabularyFault(vocabulary: readonly string[], special: SpecialTokens): string | undefined {
  const seen = new Map<string, number>();
  for (const [id, token] of vocabulary.entries()) {
    const first = seen.get(token);
    if (first !== undefined)
      return (
        `expected each token once, got ${JSON.stringify(token)} for ids ${first} and ${id}. Remove one of them, ` +
        "knowing that later ids move."
      );
    seen.set(token, id);
  }
  for (const role of SPECIAL_ROLES) {
    const token = special[role];
    if (token !== undefined && !seen.has(token)) {
      return (
        `expected the ${role} ${JSON.stringify(token)} in the vocabulary, got ${vocabulary.length} tokens without ` +
        "it. Add it, or name the token that has this role."
      );
    }
  }
  return undefined;
}
