/**
 * The action for each character, as a number: the vocabulary and the policy compiled into one table.
 *
 * An action below 256 is an id without an issue; the hot loop makes only this comparison. In a larger action, the low
 * byte is the id and the other bits say what to count. A map holds the actions beyond ASCII. A character without an
 * action is unknown.
 */
import { LOWER_CASE, WHITE_SPACE, isCharacter, type ProteinAlphabet } from "./alphabet.ts";

export const REPLACED = 0x100;
export const UNKNOWN = 0x200;
export const DROPPED = 0x300;
/** A `*`: dropped where no residue follows, also in a row of several, else unknown. */
export const STOP = 0x400;
/** A byte of a UTF-8 sequence of several bytes. Only in the byte table. */
export const MULTIBYTE = 0x500;
export const KIND = 0xff00;

export interface CharacterActions {
  /** [256] Action of each byte: the character's action for ASCII, MULTIBYTE for all other bytes. */
  readonly ofByte: Uint16Array;
  /** Action of a code point. */
  of(codePoint: number): number;
}

export function characterActions(alphabet: ProteinAlphabet): CharacterActions {
  const { vocabulary, special, policy } = alphabet;
  const unknown = UNKNOWN | vocabulary.indexOf(special.unk_token);
  const actions = new Map<string, number>();
  // From the last rule to the first, so that an earlier rule overrides a later one.
  if (policy.finalStop === "drop") actions.set("*", STOP | vocabulary.indexOf(special.unk_token));
  if (policy.whiteSpace === "drop") for (const c of WHITE_SPACE) actions.set(c, DROPPED);
  vocabulary.forEach((token, id) => {
    if (isCharacter(token)) actions.set(token, id);
  });
  for (const [from, to] of Object.entries(policy.replace)) actions.set(from, REPLACED | vocabulary.indexOf(to));
  if (policy.lowerCase === "upper") {
    for (const lower of LOWER_CASE) {
      const capital = actions.get(lower.toUpperCase());
      if (!actions.has(lower) && capital !== undefined) actions.set(lower, REPLACED | (capital & 0xff));
    }
  }
  const ofByte = new Uint16Array(256).fill(unknown, 0, 128).fill(MULTIBYTE, 128);
  const wide = new Map<number, number>();
  for (const [character, action] of actions) {
    const code = character.codePointAt(0) as number;
    if (code < 128) ofByte[code] = action;
    else wide.set(code, action);
  }
  return {
    ofByte,
    of: (codePoint) => (codePoint < 128 ? (ofByte[codePoint] as number) : (wide.get(codePoint) ?? unknown)),
  };
}
