/**
 * A model as the trainer needs it: the value that is traced, and what its checkpoint holds beside the tensors.
 */
import type { HostTensor, HostTensors } from "@cloze/graph";
import type { MaskedLm, Parameter } from "@cloze/nn";
import type { AnyModel } from "@cloze/objective";

export interface ModelSource<M extends AnyModel = MaskedLm> {
  /** Family and size in words, for logs: "esm2-8m", or the name of a configuration file. */
  readonly name: string;
  /** What an objective requires of it, it must have. */
  readonly model: M;
  /** The text of config.json, as Python opens it. */
  readonly configText: string;
  /** Tensors that are not trained and belong in a checkpoint of this model. */
  readonly buffers: HostTensors;
  /** Longest sequence, special tokens included, that the model was made for. */
  readonly maxLength: number;
  /** Operations for a token of a row of `seq`, forward and backward (see `OpenedModel`). Absent: not known. */
  readonly flopsPerToken?: (seq: number) => number;
  /**
   * Parameters that the checkpoint must hold beside those a loss reaches (a contact head), with their initial values.
   */
  readonly extraParameters?: ReadonlyMap<string, Parameter>;
}

/** Parameters by name, on the host. */
export type Weights = Readonly<Record<string, HostTensor>>;
