/**
 * DNA or RNA where proteins are read: A, C, G, T and N are also residues, so a protein model takes genes without a
 * word, and its results mean nothing.
 */
import type { Dataset } from "@cloze/data";
import { ConfigError } from "@cloze/errors";
import type { Tokenizer } from "@cloze/tokenizer";
import { isProteinTokenizer } from "./tokenizers.ts";

/** Number of sequences that are looked at. */
const SAMPLE = 200;
/** Letters of a sequence that tell; in proteins these five make a quarter of all residues. */
const ENOUGH_LETTERS = 30;
/** Share of the letters of DNA; the rest may be codes of ambiguity. */
const SHARE = 0.97;
/** Fewest letters for an error. */
const CERTAIN_LETTERS = 100;

export interface NucleotideCheck {
  /** Where the sequences come from, for the message. */
  readonly where: string;
  /** The user said that they are meant. */
  readonly allowed: boolean;
}

/** Whether a sequence has the letters of DNA or RNA alone, in a length at which a protein cannot. */
export function isNucleotides(sequence: string): boolean {
  const letters = sequence.toUpperCase().replace(/[^A-Z]/g, "");
  const bases = letters.replace(/[^ACGTUN]/g, "");
  return letters.length >= ENOUGH_LETTERS && bases.length >= SHARE * letters.length && new Set(bases).size >= 3;
}

/** Looks at the first sequences as they come. `check` is called at the end, or as soon as enough were seen. */
export class NucleotideWatch {
  readonly #check: NucleotideCheck;
  readonly #watching: boolean;
  #seen = 0;
  #found = 0;
  #letters = 0;

  constructor(tokenizer: Tokenizer, check: NucleotideCheck) {
    this.#check = check;
    this.#watching = !check.allowed && readsProteins(tokenizer);
  }

  see(sequence: string): void {
    if (!this.#watching || this.#seen >= SAMPLE) return;
    this.#seen++;
    if (!isNucleotides(sequence)) return;
    this.#found++;
    this.#letters += sequence.length;
  }

  /** The same as a note, for a command that is done already. */
  remark(): string | undefined {
    return this.#found === 0
      ? undefined
      : `warning: ${this.#check.where}: ${this.#found} of ${this.#seen} sequences are of A, C, G, T alone: ` +
          `DNA or RNA ` +
          "among proteins?";
  }

  /** Throws ConfigError if nearly all sequences are DNA. Returns a warning if some are. */
  warning(): string | undefined {
    if (this.#found === 0) return undefined;
    const { where } = this.#check;
    if (this.#found >= 0.9 * this.#seen && this.#letters >= CERTAIN_LETTERS)
      throw new ConfigError(
        `${where}: expected proteins, got DNA or RNA: ${this.#found} of ${this.#seen} sequences are of A, C, G, T ` +
          "alone. Translate them first; or, if they are meant so, pass --allow-dna.",
      );
    return this.remark();
  }
}

/** Whether the tokenizer knows the residues that DNA has no letters for. */
function readsProteins(tokenizer: Tokenizer): boolean {
  return isProteinTokenizer(tokenizer) && [..."LKEF"].every((letter) => tokenizer.vocabulary.includes(letter));
}

/** The warning for a data set, from its tokens. Throws ConfigError if it is DNA. */
export async function nucleotidesInDataset(
  dataset: Dataset,
  tokenizer: Tokenizer,
  check: NucleotideCheck,
): Promise<string | undefined> {
  if (!isProteinTokenizer(tokenizer)) return undefined;
  const watch = new NucleotideWatch(tokenizer, check);
  const letterOf = (id: number): string => tokenizer.vocabulary[id] ?? "";
  for (let i = 0; i < Math.min(dataset.size, SAMPLE); i++)
    watch.see(
      Array.from(await dataset.read(i), letterOf)
        .filter((token) => token.length === 1)
        .join(""),
    );
  return watch.warning();
}

/** The warning for records of a task, from all their texts. Throws ConfigError if they are DNA. */
export function nucleotidesInRecords(
  records: readonly { readonly record: object }[],
  tokenizer: Tokenizer,
  check: NucleotideCheck,
): string | undefined {
  const watch = new NucleotideWatch(tokenizer, check);
  for (const { record } of records.slice(0, SAMPLE)) watch.see(textOf(record));
  return watch.warning();
}

/** The text of a record; words of a record of words, joined. */
export function textOf(record: object): string {
  const { text, words } = record as { readonly text?: unknown; readonly words?: unknown };
  return typeof text === "string" ? text : Array.isArray(words) ? words.join("") : String(words ?? "");
}
