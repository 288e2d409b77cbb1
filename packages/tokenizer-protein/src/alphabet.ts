/**
 * The alphabet of a protein tokenizer, as plain data: a vocabulary, its special tokens, and a policy for all other
 * characters.
 */
import type { AddedToken, SpecialTemplate, SpecialTokens } from "@cloze/tokenizer";

/**
 * The policy for characters that are not tokens. Each of them is counted in `issues`.
 *
 * The rules apply to a character in this order: `replace`, the vocabulary, lower case, white space, final stop,
 * unknown.
 */
export interface ProteinPolicy {
  /**
   * "upper": a lower-case letter is encoded as its capital (soft masking in FASTA does not change the residue).
   * "unknown": a lower-case letter is an unknown character.
   */
  readonly lowerCase: "upper" | "unknown";
  /** Policy for white space (Unicode's, and the byte order mark), such as line ends in FASTA. */
  readonly whiteSpace: "drop" | "unknown";
  /**
   * Policy for `*`s at the end of the text, or directly before a special token in it: translation tools write stop
   * codons like this, several in a row too. Any other `*` is unknown. Where `*` is a token, it is always that token.
   */
  readonly finalStop: "drop" | "unknown";
  /**
   * Character -> residue that replaces it, for example `{ U: "X" }`. With `lowerCase: "upper"` it applies to the
   * lower-case letter too.
   */
  readonly replace: Readonly<Record<string, string>>;
}

export interface ProteinAlphabet {
  /** Short name: "esm2", or a name of the user's choice. */
  readonly name: string;
  /**
   * Token strings; the index is the id. A residue has one character. A longer token is special, unused (`<null_1>`) or
   * one of `addedTokens`. At most 256 tokens.
   */
  readonly vocabulary: readonly string[];
  readonly special: SpecialTokens;
  /**
   * Further tokens that are found whole in a text, as written. (`encodeBytes` finds none: it reads one token per
   * character.)
   */
  readonly addedTokens?: readonly AddedToken[];
  readonly template: SpecialTemplate;
  readonly policy: ProteinPolicy;
  /** Text that `decode` writes between tokens. */
  readonly separator: " " | "";
  /** Inputs of the model in Python, for tokenizer_config.json. */
  readonly modelInputNames: readonly string[];
}

/** Options of `esm2`, `protbert` and `amplify`. The default of each is the alphabet's own value. */
export interface ProteinOptions extends Partial<ProteinPolicy> {
  readonly separator?: " " | "";
}

export const DEFAULT_POLICY: ProteinPolicy = { lowerCase: "upper", whiteSpace: "drop", finalStop: "drop", replace: {} };

/**
 * White space in the order of code points: Unicode's White_Space and U+FEFF. The encoder and the files for Python use
 * this same list.
 */
export const WHITE_SPACE: string =
  "\t\n\v\f\r " +
  "\u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a" +
  "\u2028\u2029\u202f\u205f\u3000\ufeff";

export const LOWER_CASE = "abcdefghijklmnopqrstuvwxyz";

/** True for a string of exactly one code point. */
export function isCharacter(text: string): boolean {
  return text.length > 0 && String.fromCodePoint(text.codePointAt(0) as number).length === text.length;
}

/**
 * True for the name of a token that no text needs to have: `<null_1>`, `[unused7]`. In Python a byte order mark before
 * the first token makes it another token.
 */
export function isUnusedName(token: string): boolean {
  return /^\ufeff?(<.+>|\[.+\])$/u.test(token);
}

const quote = (token: string): string => JSON.stringify(token);

/** The fault of an alphabet, as `expected …, got …. Next step.`, or undefined. */
export function alphabetFault(alphabet: ProteinAlphabet): string | undefined {
  const { vocabulary, special, addedTokens = [], policy } = alphabet;
  const tokens = new Set(vocabulary);
  if (vocabulary.length > 256)
    return (
      `expected at most 256 tokens, so that an id is a byte, got ${vocabulary.length}. A vocabulary of words needs ` +
      "@cloze/tokenizer-wordpiece or another text tokenizer."
    );
  const twice = vocabulary.find((t, i) => vocabulary.indexOf(t) !== i);
  if (twice !== undefined)
    return `expected each token once, got ${quote(twice)} twice. Remove one of them, knowing that later ids move.`;
  const named = Object.entries(special);
  const lost = named.find(([, token]) => !tokens.has(token));
  if (lost !== undefined)
    return (
      `expected the ${lost[0]} ${quote(lost[1])} in the vocabulary, got none. Add it, or name the token that plays ` +
      "this role."
    );
  const roles = new Set(named.map(([, token]) => token));
  const added = new Set(addedTokens.map((token) => token.content));
  const misplaced = addedTokens.find(({ id, content }) => vocabulary[id] !== content);
  if (misplaced !== undefined)
    return (
      `expected the added token ${quote(misplaced.content)} at id ${misplaced.id} of the vocabulary, got ` +
      `${quote(vocabulary[misplaced.id] ?? "nothing")} there. Give its id.`
    );
  const long = vocabulary.find((t) => !roles.has(t) && !added.has(t) && !isCharacter(t) && !isUnusedName(t));
  if (long !== undefined)
    return (
      `expected residues of one character, got the token ${quote(long)}. A vocabulary of words needs ` +
      "@cloze/tokenizer-wordpiece or another text tokenizer."
    );
  const blank = vocabulary.find((t) => isCharacter(t) && WHITE_SPACE.includes(t));
  if (blank !== undefined)
    return `expected tokens that can be seen, got ${quote(blank)}. White space is governed by the policy.`;
  return replaceFault(policy, (t) => tokens.has(t) && !roles.has(t) && isCharacter(t));
}

function replaceFault(policy: ProteinPolicy, isResidue: (token: string) => boolean): string | undefined {
  for (const [from, to] of Object.entries(policy.replace)) {
    if (!isCharacter(from) || WHITE_SPACE.includes(from))
      return `expected replace to name single visible characters, got ${quote(from)}.`;
    if (!isResidue(to))
      return (
        `expected replace to give a residue of the vocabulary, got ${quote(to)} for ${quote(from)}. What should be ` +
        "unknown needs no entry."
      );
    if (to in policy.replace)
      return (
        `expected replace to be one step, got ${quote(from)} to ${quote(to)}, which is itself replaced. Write ` +
        `${quote(from)} to ${quote(policy.replace[to] as string)}.`
      );
  }
  return undefined;
}
