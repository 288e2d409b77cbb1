/**
 * The renaming of tensors from another library's convention to Hugging Face's. Rules are data. Every name of the input
 * is in exactly one list of the result.
 *
 *     name --a pattern of `leaves` matches--> left out, with the reason
 *          --else the first rule that matches the whole name--> renamed, transposed or not
 *          --else--> unknown: the caller decides
 */
import { ConfigError } from "@cloze/errors";

export interface NamingRule {
  readonly from: RegExp;
  /** The new name. `$1` is the first group of the match. */
  readonly to: string;
  /** True for a matrix [in, out] that Hugging Face stores as [out, in]. */
  readonly transpose?: true;
}

export interface Naming {
  readonly name: string;
  /** Matches at least one name in every checkpoint of this convention, and no name of another convention. */
  readonly marks: RegExp;
  readonly rules: readonly NamingRule[];
  /** Patterns of tensors that do not belong to the model, each with the reason. */
  readonly leaves: readonly (readonly [pattern: RegExp, why: string])[];
  /** Tied weights: new name of the copy -> new name of the original. A copy that equals the original is left out. */
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

/** Sorts every name into renamed, left or unknown. Throws: ConfigError where two names get the same new name. */
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

/**
 * The convention that a checkpoint's names follow: the first convention whose `marks` matches a name, else the last
 * convention, which accepts every name.
 */
export function namingOf(namings: readonly [Naming, ...Naming[]], names: readonly string[]): Naming {
  return namings.find(({ marks }) => names.some((name) => marks.test(name))) ?? namings.at(-1) ?? namings[0];
}
