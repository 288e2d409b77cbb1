/**
 * A model as the trainer needs it: the function to trace, and the contents of its checkpoint besides the trained
 * tensors.
 */
import type { HostTensor, HostTensors } from "@cloze/graph";
import type { MaskedLm, Parameter } from "@cloze/nn";
import type { AnyModel } from "@cloze/objective";

export interface ModelSource<M extends AnyModel = MaskedLm> {
  /** Family and size in words, for logs: "esm2-8m", or the name of a configuration file. */
  readonly name: string;
  /** The model. It must have everything that the objective requires. */
  readonly model: M;
  /** The text of config.json, as Python opens it. */
  readonly configText: string;
  /** Tensors that are not trained but belong in a checkpoint of this model. */
  readonly buffers: HostTensors;
  /** Longest sequence that the model supports, special tokens included. */
  readonly maxLength: number;
  /**
   * Floating-point operations for one token in a row of length `seq`, forward and backward (see `OpenedModel`). Absent:
   * not known.
   */
  readonly flopsPerToken?: (seq: number) => number;
  /** Parameters that the checkpoint must hold but that no loss reaches (a contact head), with their initial values. */
  readonly extraParameters?: ReadonlyMap<string, Parameter>;
}

/** Parameters by name, on the host. */
export type Weights = Readonly<Record<string, HostTensor>>;
