/**
 * What a protein tokenizer is made of: a vocabulary, its special tokens, and what happens to every other character.
 * Plain data.
 */
import type { SpecialTemplate, SpecialTokens } from "@cloze/tokenizer";

/**
 * What becomes of a character that is not itself a token. All of it is counted in `issues`.
 *
 * A character is looked at in this order: `replace`, the vocabulary, lower case, white space, a final stop, unknown.
 */
export interface ProteinPolicy {
  /**
   * "upper": a lower-case letter counts as its capital (soft masking in FASTA says nothing about the residue).
   * "unknown": it is an unknown character.
   */
  readonly lowerCase: "upper" | "unknown";
  /** White space (Unicode's, and the byte order mark): line ends of FASTA, spaces between residues. */
  readonly whiteSpace: "drop" | "unknown";
  /**
   * A `*` that ends a stretch of residues (the text, or the text up to a special token in it): the stop codon that
   * translation tools leave. Any other `*` is unknown; where `*` is a token, it always is that token.
   */
  readonly finalStop: "drop" | "unknown";
  /**
   * One character to another that is a token, e.g. `{ U: "X" }`. Applies to lower case too where `lowerCase` is
   * "upper".
   */
  readonly replace: Readonly<Record<string, string>>;
}

export interface ProteinAlphabet {
  /** Short name: "esm2", or the user's own. */
  readonly name: string;
  /**
   * Token strings, the index is the id: residues are one character; everything longer is special or unused
   * (`<null_1>`). At most 256.
   */
  readonly vocabulary: readonly string[];
  readonly special: SpecialTokens;
  readonly template: SpecialTemplate;
  readonly policy: ProteinPolicy;
  /** What `decode` writes between tokens. */
  readonly separator: " " | "";
  /** Inputs of the model in Python, for tokenizer_config.json. */
  readonly modelInputNames: readonly string[];
}

/** What a maker lets you choose; what is left out is the alphabet's own. */
export interface ProteinOptions extends Partial<ProteinPolicy> {
  readonly separator?: " " | "";
}

export const DEFAULT_POLICY: ProteinPolicy = { lowerCase: "upper", whiteSpace: "drop", finalStop: "drop", replace: {} };

/**
 * White space by code point: Unicode's White_Space and U+FEFF. One list for encoding and for the files Python reads.
 */
export const WHITE_SPACE: string =
  "\t\n\v\f\r " +
  "\u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000\ufeff";

export const LOWER_CASE = "abcdefghijklmnopqrstuvwxyz";

/** True for a string of exactly one code point. */
export function isCharacter(text: string): boolean {
  return text.length > 0 && String.fromCodePoint(text.codePointAt(0) as number).length === text.length;
}

const quote = (token: string): string => JSON.stringify(token);

/** What is wrong with an alphabet, as `expected …, got …. Next step.`, or undefined when nothing is. */
export function alphabetFault(alphabet: ProteinAlphabet): string | undefined {
  const { vocabulary, special, policy } = alphabet;
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
  const long = vocabulary.find((t) => !roles.has(t) && !isCharacter(t) && !/^(<.+>|\[.+\])$/u.test(t));
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
