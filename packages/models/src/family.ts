/**
 * A family of models as loaders, trainers and command lines need it: which sizes there are by name, what config.json
 * means, how checkpoints are to be read, and what is written back. A family is one value; `families` of this package
 * lists them.
 */
import { ConfigError, UnsupportedError } from "@cloze/errors";
import type { HostTensors, Tensor } from "@cloze/graph";
import type {
  ChoiceModel,
  EncoderInputs,
  EncoderOutputs,
  MaskedLm,
  Parameter,
  Scope,
  SentencePairModel,
  SequenceClassifier,
  SpanModel,
  TokenClassifier,
} from "@cloze/nn";
import type { CheckpointNotes } from "./checkpoint-notes.ts";
import type { FlopsOptions } from "./flops.ts";
import type { Head } from "./heads.ts";
import { LABEL_KEYS, labelsJson, type TaskLabels } from "./labels.ts";

/** A masked language model with whatever other heads its family has. */
export type FamilyModel = MaskedLm &
  Partial<Omit<SentencePairModel & SequenceClassifier & TokenClassifier & SpanModel & ChoiceModel, keyof MaskedLm>> & {
    /** Longest sequence that it can take; absent: any. */
    readonly maxPositions?: number;
    /** Token types (texts in a sequence) that it tells apart; absent: it has none. */
    readonly tokenTypes?: number;
    /** What it shows of its inside. */
    outputs?(scope: Scope, inputs: EncoderInputs): EncoderOutputs;
    /** A sequence's own vector `[n, hidden]`, from the hidden states `[n, hidden]` of first tokens. */
    pool?(scope: Scope, first: Tensor<"f32">): Tensor<"f32">;
    /** Contact probabilities `[batch, seq - 2, seq - 2]` of residues. */
    contacts?(scope: Scope, inputs: EncoderInputs, attentions: readonly Tensor<"f32">[]): Tensor<"f32">;
  };

export interface OpenOptions {
  /** Named in errors. Default "config.json". */
  readonly file?: string;
  /** In place of the configuration's: the size of another tokenizer's vocabulary. */
  readonly vocab?: number;
  /** Ids of that tokenizer, where the family's configuration has them. */
  readonly special?: { readonly pad: number; readonly mask?: number; readonly start?: number; readonly end?: number };
  /**
   * Start from masked-token logits of exactly zero. Default: as the family was published, which is false but for the
   * speedrun encoder.
   */
  readonly zeroInitHead?: boolean;
  /** What a checkpoint stores under `notes.ropeFrequencies`. */
  readonly ropeFrequencies?: ArrayLike<number>;
}

/** How a checkpoint is to be written. */
export interface SavedAs extends TaskLabels {
  /** The head it holds. Default "masked-lm". */
  readonly head?: Head;
}

/** What may become another value without a parameter changing: what a run sets anew between its stages. */
export interface Variation {
  /**
   * Largest distance between tokens that see each other, as the family's config.json says it: `window` of the speedrun
   * encoder (0: any distance); `local_attention` of ModernBERT, which is that of its local layers and counts both sides
   * together.
   */
  readonly window?: number;
  /**
   * Base of the rotary frequencies. ModernBERT: that of its global layers, which is what extends its context; local
   * ones keep theirs.
   */
  readonly ropeBase?: number;
}

export interface OpenedModel {
  /** `model_type`. */
  readonly family: string;
  readonly model: FamilyModel;
  /** Most tokens in one sequence, special ones included. */
  readonly maxLength: number;
  readonly padId: number;
  /** Names of a classifier's labels, as the configuration has them; LABEL_0 and LABEL_1 where it says nothing. */
  readonly labels: readonly string[];
  /** The head that `architectures` of the configuration names, if it names one. */
  readonly head: Head | undefined;
  /** Tensors that are not trained and belong in a checkpoint. */
  readonly buffers: HostTensors;
  /** Parameters that belong in a checkpoint whatever its head is. */
  readonly extraParameters: ReadonlyMap<string, Parameter>;
  /** Heads of this family, and the class of transformers that has each. */
  readonly architectures: Readonly<Partial<Record<Head, string>>>;
  readonly notes: CheckpointNotes;
  /**
   * Floating-point operations for one token of a row of `seq` tokens that all belong together, masked-token head
   * included.
   */
  flopsPerToken(seq: number, options?: FlopsOptions): number;
  /** The text of config.json. */
  configText(saved?: SavedAs): string;
  /**
   * The same parameters under another window or rotary base, which the text of config.json says too.
   * Throws ConfigError for a setting that the family has not, and for a value that cannot be.
   */
  vary(settings: Variation): OpenedModel;
}

export interface ModelFamily {
  /** `model_type` of config.json. */
  readonly type: string;
  /** Names of published sizes. */
  readonly names: readonly string[];
  /**
   * Keys of config.json that say anew what others said, which then give way: ModernBERT's `num_hidden_layers` its
   * `layer_types`. Among them may be keys that no published configuration has.
   */
  readonly supersedes?: Readonly<Record<string, readonly string[]>>;
  /** The content of the config.json of a published size; undefined for another name. */
  published(name: string): Readonly<Record<string, unknown>> | undefined;
  /**
   * Throws FormatError, UnsupportedError or ConfigError for a configuration that is not this family's, or cannot be
   * built.
   */
  open(json: unknown, options?: OpenOptions): OpenedModel;
}

/** The head whose class is named by `architectures`. */
export function headOfConfig(
  json: Readonly<Record<string, unknown>>,
  architectures: OpenedModel["architectures"],
): Head | undefined {
  const { architectures: named } = json;
  const first: unknown = Array.isArray(named) ? named[0] : undefined;
  return (Object.keys(architectures) as Head[]).find((head) => architectures[head] === first);
}

/** Throws ConfigError for a setting that is none of a family's. */
export function checkVariation(family: string, settings: Variation, has: readonly (keyof Variation)[]): void {
  for (const name of ["window", "ropeBase"] as const) {
    if (settings[name] === undefined || has.includes(name)) continue;
    throw new ConfigError(
      `${family}: expected ` +
        `${has.length > 0 ? `${has.join(" or ")}, which may vary` : "no setting to vary, since it has no window and no rotary base"}, ` +
        `got ${name} ${settings[name]}. Leave it out, or take a family that has it.`,
    );
  }
}

/**
 * Keys of config.json that say how a checkpoint was saved: its class, its labels, and that its numbers are f32. Those
 * of labels that the configuration had (`extra`) stay where a classifier is saved and no others are given; undefined
 * takes them out. Throws UnsupportedError for a head that the family has not.
 */
export function savedKeys(
  { family, architectures }: Pick<OpenedModel, "family" | "architectures">,
  extra: Readonly<Record<string, unknown>>,
  { head = "masked-lm", ...labels }: SavedAs,
): Readonly<Record<string, unknown>> {
  const architecture = architectures[head];
  const given = labelsJson(labels);
  const classifies = head === "sequence-classification" || head === "token-classification";
  if (architecture === undefined)
    throw new UnsupportedError(
      `${family}: expected a head of this family (${Object.keys(architectures).join(", ")}), got ${head}.`,
    );
  const stale = classifies && Object.keys(given).length === 0 ? [] : LABEL_KEYS;
  const numbers = ["dtype", "torch_dtype"].filter((key) => key in extra).map((key) => [key, "float32"]);
  return {
    architectures: [architecture],
    ...Object.fromEntries([...stale.map((key) => [key, undefined]), ...numbers]),
    ...given,
  };
}
