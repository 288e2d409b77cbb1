/**
 * Published protein data sets: the format of each set, and the rule of its split. Nothing is filtered: the published
 * sets are taken whole, and training crops the long sequences.
 *
 * Sources:
 * - SpeedrunningPLMs, data/create_{omgprot50,og90,uniref50}_splits.py, for the three sets of Parquet.
 * - UniProt's `uniref{50,90,100}.fasta.gz`, whose headers begin with the cluster's id (`>UniRef50_…`). They are split
 *   by content, with the share that ESM-2's successors hold out (bionemo: 328,360 of 65,672,139 clusters, 0.5 %).
 * - BFD as ProtTrans used it (2.1 G sequences, 393 G residues).
 */
import type { DataFormat } from "./sources.ts";
import type { AnySplitRule } from "./splitter.ts";

export interface Preset {
  readonly about: string;
  readonly format: DataFormat;
  /** The columns of Parquet. */
  readonly fields?: { readonly id: string; readonly sequence: string };
  readonly split: AnySplitRule;
  /** The names of the set's parts on the Hub, in the order in which the split joins them. */
  readonly hub?: readonly string[];
}

const SEEDS = { shuffle: 11, heldOut: 22, halves: 33 } as const;

/** The rule of the speedrun: 10,000 rows for validation and 10,000 for testing. */
export const PUBLISHED_SPLIT: AnySplitRule = { heldOut: 20_000, seeds: SEEDS };
const BY_CONTENT: AnySplitRule = { seed: 0, valid: 0.005 };

export type PresetName =
  "omg_prot50" | "og_prot90" | "uniref50_09012025" | "uniref50" | "uniref90" | "uniref100" | "bfd";

export const PRESETS: { readonly [P in PresetName]: Preset } = {
  omg_prot50: {
    about: "207 M proteins of metagenomes",
    format: "parquet",
    fields: { id: "id", sequence: "sequence" },
    split: PUBLISHED_SPLIT,
    hub: ["hf://datasets/tattabio/OMG_prot50:default:train"],
  },
  og_prot90: {
    about: "proteins of genomes",
    format: "parquet",
    fields: { id: "id", sequence: "sequence" },
    split: PUBLISHED_SPLIT,
    hub: ["hf://datasets/tattabio/OG_prot90:default:train"],
  },
  uniref50_09012025: {
    about: "UniRef50 as Parquet, in three parts",
    format: "parquet",
    fields: { id: "id", sequence: "text" },
    split: { heldOut: 20_000, seeds: SEEDS, groups: ["train", "validation", "test"] },
    hub: ["train", "validation", "test"].map((part) => `hf://datasets/agemagician/uniref50_09012025:default:${part}`),
  },
  uniref50: { about: "UniProt's uniref50.fasta.gz", format: "fasta", split: BY_CONTENT },
  uniref90: { about: "UniProt's uniref90.fasta.gz", format: "fasta", split: BY_CONTENT },
  uniref100: { about: "UniProt's uniref100.fasta.gz", format: "fasta", split: BY_CONTENT },
  bfd: { about: "BFD as FASTA", format: "fasta", split: BY_CONTENT },
};
