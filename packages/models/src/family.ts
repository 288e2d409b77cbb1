/**
 * A family of models, as loaders, trainers and command lines need it: the published sizes by name, the meaning of
 * config.json, notes on reading checkpoints, and the text to write back. A family is one value; `families` of this
 * package lists all of them.
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

/** A masked language model with all other heads of its family. */
export type FamilyModel = MaskedLm &
  Partial<Omit<SentencePairModel & SequenceClassifier & TokenClassifier & SpanModel & ChoiceModel, keyof MaskedLm>> & {
    /** Longest sequence that the model can take. Absent: any. */
    readonly maxPositions?: number;
    /** Number of token types (texts in a sequence). Absent: the model has no token types. */
    readonly tokenTypes?: number;
    /** All states of the encoder. */
    outputs?(scope: Scope, inputs: EncoderInputs): EncoderOutputs;
    /** One vector `[n, hidden]` for each sequence, from the hidden states `[n, hidden]` of first tokens. */
    pool?(scope: Scope, first: Tensor<"f32">): Tensor<"f32">;
    /** Contact probabilities `[batch, seq - 2, seq - 2]` of residues. */
    contacts?(scope: Scope, inputs: EncoderInputs, attentions: readonly Tensor<"f32">[]): Tensor<"f32">;
  };

export interface OpenOptions {
  /** The file name in errors. Default "config.json". */
  readonly file?: string;
  /** Replaces the configuration's vocabulary size: the size of another tokenizer's vocabulary. */
  readonly vocab?: number;
  /** Token ids of that tokenizer. They replace the ids of the family's configuration. */
  readonly special?: { readonly pad: number; readonly mask?: number; readonly start?: number; readonly end?: number };
  /**
   * Start from masked-token logits of exactly zero. Default: the published start of the family, which is false except
   * for the speedrun encoder.
   */
  readonly zeroInitHead?: boolean;
  /** The rotary frequencies that a checkpoint stores under `notes.ropeFrequencies`. */
  readonly ropeFrequencies?: ArrayLike<number>;
}

/** How to write a checkpoint. */
export interface SavedAs extends TaskLabels {
  /** The head of the checkpoint. Default "masked-lm". */
  readonly head?: Head;
}

/** Settings that may change without a change of the parameters: a run may change them between its stages. */
export interface Variation {
  /**
   * Largest distance between tokens that see each other, in the unit of the family's config.json: `window` of the
   * speedrun encoder (0: any distance); `local_attention` of ModernBERT, which applies to its local layers and counts
   * both sides together.
   */
  readonly window?: number;
  /**
   * Base of the rotary frequencies. ModernBERT: the base of its global layers, which extends its context. Its local
   * layers keep their base.
   */
  readonly ropeBase?: number;
}

export interface OpenedModel {
  /** `model_type`. */
  readonly family: string;
  readonly model: FamilyModel;
  /** Largest number of tokens in one sequence, with special tokens. */
  readonly maxLength: number;
  readonly padId: number;
  /** Names of a classifier's labels from the configuration. LABEL_0 and LABEL_1 where the configuration has none. */
  readonly labels: readonly string[];
  /** Keys of the configuration that no model here reads, and that transformers does not read either. */
  readonly unknownKeys: readonly string[];
  /** The head that `architectures` of the configuration names. Undefined where it names no head. */
  readonly head: Head | undefined;
  /** Tensors that are not trained and belong in a checkpoint. */
  readonly buffers: HostTensors;
  /** Parameters that belong in a checkpoint with any head. */
  readonly extraParameters: ReadonlyMap<string, Parameter>;
  /** The heads of this family, each with its transformers class. */
  readonly architectures: Readonly<Partial<Record<Head, string>>>;
  readonly notes: CheckpointNotes;
  /** Floating-point operations for one token in a row of `seq` tokens of one sequence, with the masked-token head. */
  flopsPerToken(seq: number, options?: FlopsOptions): number;
  /** The text of config.json. */
  configText(saved?: SavedAs): string;
  /**
   * The same parameters under another window or rotary base. The text of config.json has the new setting too.
   * Throws ConfigError for a setting that the family does not have, and for an impossible value.
   */
  vary(settings: Variation): OpenedModel;
}

export interface ModelFamily {
  /** `model_type` of config.json. */
  readonly type: string;
  /** Names of published sizes. */
  readonly names: readonly string[];
  /**
   * Newer config.json keys, each with the older keys that it replaces: ModernBERT's `num_hidden_layers` replaces
   * `layer_types`. Some of these keys may occur in no published configuration.
   */
  readonly supersedes?: Readonly<Record<string, readonly string[]>>;
  /** The content of the config.json of a published size; undefined for another name. */
  published(name: string): Readonly<Record<string, unknown>> | undefined;
  /**
   * Throws FormatError, UnsupportedError or ConfigError for a configuration of another family, or one that cannot be
   * built.
   */
  open(json: unknown, options?: OpenOptions): OpenedModel;
}

/** The head whose class is the first of `architectures` in the config.json. */
export function headOfConfig(
  json: Readonly<Record<string, unknown>>,
  architectures: OpenedModel["architectures"],
): Head | undefined {
  const { architectures: named } = json;
  const first: unknown = Array.isArray(named) ? named[0] : undefined;
  return (Object.keys(architectures) as Head[]).find((head) => architectures[head] === first);
}

/** Throws ConfigError for a setting that the family does not have. */
export function checkVariation(family: string, settings: Variation, has: readonly (keyof Variation)[]): void {
  for (const name of ["window", "ropeBase"] as const) {
    if (settings[name] === undefined || has.includes(name)) continue;
    const expected =
      has.length > 0
        ? `${has.join(" or ")}, which may vary`
        : "no setting to vary, since it has no window and no rotary base";
    throw new ConfigError(
      `${family}: expected ${expected}, got ${name} ${settings[name]}. Leave it out, or take a family that has it.`,
    );
  }
}

/**
 * The keys of config.json that describe a saved checkpoint: its class, its labels, and the dtype f32. The label keys of
 * the configuration (`extra`) stay if the head is a classifier and no other labels are given. Otherwise the value
 * undefined removes them. Throws UnsupportedError for a head that the family does not have.
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
