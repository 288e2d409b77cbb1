/**
 * Names of tensors, from the convention of one library to Hugging Face's: rules are data, and every name is accounted
 * for.
 *
 *     name --first rule whose pattern fits the whole of it--> new name, transposed or not
 *          --known and of no use here--> left out, with the reason
 *          --neither--> unknown, which the caller has to decide on
 */
import { ConfigError } from "@cloze/errors";

export interface NamingRule {
  readonly from: RegExp;
  /** What to put in the place of the match: `$1` is the first group. */
  readonly to: string;
  /** A matrix [in, out] that Hugging Face holds as [out, in]. */
  readonly transpose?: true;
}

export interface Naming {
  readonly name: string;
  /** Fits some name of every checkpoint of this convention and none of another. */
  readonly marks: RegExp;
  readonly rules: readonly NamingRule[];
  /** Tensors that are no part of the model, and why. */
  readonly leaves: readonly (readonly [pattern: RegExp, why: string])[];
  /** New names of copies, which are left out where they equal the other: tied weights. */
  readonly copies: Readonly<Record<string, string>>;
}

export interface Renamed {
  readonly from: string;
  readonly to: string;
  readonly transpose: boolean;
}

export interface Renaming {
  readonly renamed: readonly Renamed[];
  readonly left: readonly { readonly name: string; readonly why: string }[];
  readonly unknown: readonly string[];
}

/** Gives each name its place. Throws: ConfigError where two names become one. */
export function renameTensors(naming: Naming, names: Iterable<string>): Renaming {
  const renamed: Renamed[] = [];
  const left: { readonly name: string; readonly why: string }[] = [];
  const unknown: string[] = [];
  const taken = new Map<string, string>();
  for (const name of names) {
    const why = naming.leaves.find(([pattern]) => pattern.test(name))?.[1];
    if (why !== undefined) {
      left.push({ name, why });
      continue;
    }
    const rule = naming.rules.find(({ from }) => from.exec(name)?.[0] === name);
    if (rule === undefined) {
      unknown.push(name);
      continue;
    }
    const to = name.replace(rule.from, rule.to);
    const twin = taken.get(to);
    if (twin !== undefined)
      throw new ConfigError(
        `tensor ${JSON.stringify(name)}: expected a name of its own, got ${JSON.stringify(to)}, which ` +
          `${JSON.stringify(twin)} becomes, too. Remove one of them from the input.`,
      );
    taken.set(to, name);
    renamed.push({ from: name, to, transpose: rule.transpose === true });
  }
  return { renamed, left, unknown };
}

/** The convention that a checkpoint's names follow: the first that is marked, else the last, which takes every name. */
export function namingOf(namings: readonly [Naming, ...Naming[]], names: readonly string[]): Naming {
  return namings.find(({ marks }) => names.some((name) => marks.test(name))) ?? namings.at(-1) ?? namings[0];
}
