/**
 * An encoder: a trained model that takes sequences in any number and length, and returns the model's outputs in the
 * same order.
 *
 * The encoder pads and batches rows as suits the machine. Neither changes a value (up to rounding). Results contain no
 * padding.
 */
import type { Backend, CompileOptions } from "@cloze/backend";
import { ConfigError } from "@cloze/errors";
import type { HostTensors } from "@cloze/graph";
import type { Tokenizer } from "@cloze/tokenizer";
import { embeddings, type EmbedOptions, type Embedding, type TextPair } from "./embed.ts";
import { fillMasks, type FilledMask } from "./fill-mask.ts";
import { insideOf, type Inside, type InferenceModel } from "./program.ts";
import { f32, Runner, type F32Tensor, type Job, type Many, type Piece } from "./runner.ts";

export interface EncoderOptions {
  readonly backend: Backend;
  readonly model: InferenceModel;
  /** Weights by parameter name, as in the checkpoint. A head that no call uses may be missing. */
  readonly weights: HostTensors;
  /** The tokenizer for `embed` and `fillMask`, and for the pad id. */
  readonly tokenizer?: Tokenizer;
  /** Default: the tokenizer's pad id, or 0. No other token sees the pad token, at any position. */
  readonly padId?: number;
  /** Tokens in one batch, padding included. A longer sequence gets its own batch. Default 2048. */
  readonly tokensPerBatch?: number;
  /** Default "f32". */
  readonly compute?: NonNullable<CompileOptions["compute"]>;
}

/** Token ids of one sequence, special tokens included. */
export type Ids = ArrayLike<number>;

/** Ids, or for a pair of texts ids and types: type 0 for the first text, 1 for the second. */
export type Sequence = Ids | { readonly ids: Ids; readonly types: Ids };

export interface Wanted {
  readonly logits?: boolean;
  /**
   * True for all layers, or a list of layers: 0 the embeddings, L the last layer, negative numbers count from the end.
   */
  readonly hiddenStates?: boolean | readonly number[];
  readonly attentions?: boolean;
  readonly contacts?: boolean;
}

/** The requested outputs of one sequence with n tokens. Other outputs are absent. */
export interface SequenceOutputs {
  /** `[n, vocab]`. */
  readonly logits?: F32Tensor;
  /** A tensor `[n, hidden]` for each requested layer, in the requested order. */
  readonly hiddenStates?: readonly F32Tensor[];
  /** `[heads, n, n]` for each layer. */
  readonly attentions?: readonly F32Tensor[];
  /** `[n - 2, n - 2]`: pairs of residues, without the start and the end token. */
  readonly contacts?: F32Tensor;
}

export interface SequenceEncoder {
  readonly hidden: number;
  readonly vocab: number;
  /** Number of available hidden states: layers + 1, or 1 if the model gives only its last hidden states. */
  readonly hiddenStateCount: number;
  /** Number of layers with attention maps, or 0. `heads`: the number of heads in each layer. */
  readonly attentionCount: number;
  readonly heads: number;
  /** Computes several outputs in one pass. */
  outputs(sequences: Many<Sequence>, wanted: Wanted): AsyncGenerator<SequenceOutputs, void, undefined>;
  logits(sequences: Many<Sequence>): AsyncGenerator<F32Tensor, void, undefined>;
  hiddenStates(
    sequences: Many<Sequence>,
    layers?: readonly number[],
  ): AsyncGenerator<readonly F32Tensor[], void, undefined>;
  attentions(sequences: Many<Sequence>): AsyncGenerator<readonly F32Tensor[], void, undefined>;
  contacts(sequences: Many<Sequence>): AsyncGenerator<F32Tensor, void, undefined>;
  /** Embeddings of texts, or of pairs of texts in one sequence. */
  embed(texts: Many<string | TextPair>, options?: EmbedOptions): AsyncGenerator<Embedding, void, undefined>;
  /** The `top` (default 5) most likely tokens at each mask of a text. */
  fillMask(text: string, options?: { readonly top?: number }): Promise<readonly FilledMask[]>;
  /** Frees the weights and the programs. The backend stays. */
  dispose(): Promise<void>;
}

/** Creates an encoder and uploads the weights. The encoder compiles a program when its shape first occurs. */
export async function createEncoder(options: EncoderOptions): Promise<SequenceEncoder> {
  const {
    backend,
    model,
    weights,
    tokenizer,
    padId = tokenizer?.special.pad ?? 0,
    tokensPerBatch = 2048,
    compute,
  } = options;
  const { hidden, vocab } = model;
  if (!(Number.isSafeInteger(tokensPerBatch) && tokensPerBatch >= 1))
    throw new ConfigError(`createEncoder, tokensPerBatch: expected a whole number from 1, got ${tokensPerBatch}.`);
  if (tokenizer && tokenizer.vocabulary.length > vocab)
    throw new ConfigError(
      `createEncoder: expected a tokenizer of at most the model's ${vocab} tokens, got "${tokenizer.name}" with ` +
        `${tokenizer.vocabulary.length}. Use the tokenizer that stands beside the weights.`,
    );
  const inside = insideOf(model);
  const count = inside.hiddenStates;
  const longest = model.maxPositions ?? Infinity;
  const runner = await Runner.start({
    backend,
    model,
    weights,
    padId,
    tokensPerBatch,
    compile: compute ? { compute } : {},
  });
  const needed = (what: string): Tokenizer => {
    if (!tokenizer)
      throw new ConfigError(
        `${what}: expected an encoder with a tokenizer, got one without. Pass it to createEncoder.`,
      );
    return tokenizer;
  };
  async function* only<K extends keyof SequenceOutputs>(
    sequences: Many<Sequence>,
    name: K,
    wanted: Wanted,
  ): AsyncGenerator<NonNullable<SequenceOutputs[K]>, void, undefined> {
    for await (const each of outputs(sequences, wanted)) yield each[name] as NonNullable<SequenceOutputs[K]>;
  }
  async function* outputs(sequences: Many<Sequence>, wanted: Wanted): AsyncGenerator<SequenceOutputs, void, undefined> {
    const { hiddenStates = false } = wanted;
    const all = Array.from({ length: count }, (_, i) => i);
    const layers =
      typeof hiddenStates === "boolean"
        ? hiddenStates
          ? all
          : []
        : hiddenStates.map((layer) => layerIndex(layer, count));
    let index = 0;
    const pieces = checked(sequences, model, wanted.contacts ? 3 : 1);
    for await (const each of runner.stream(pieces, outputsJob(model, inside, wanted, layers))) {
      index++;
      for (const [name, tensors] of Object.entries(each) as [string, F32Tensor | readonly F32Tensor[]][])
        for (const { data } of [tensors].flat()) runner.expectFinite(data, `sequence ${index}, ${name}`);
      yield each;
    }
  }
  return {
    hidden,
    vocab,
    hiddenStateCount: count,
    attentionCount: inside.attentions,
    heads: inside.heads,
    outputs,
    logits: (sequences) => only(sequences, "logits", { logits: true }),
    hiddenStates: (sequences, layers) => only(sequences, "hiddenStates", { hiddenStates: layers ?? true }),
    attentions: (sequences) => only(sequences, "attentions", { attentions: true }),
    contacts: (sequences) => only(sequences, "contacts", { contacts: true }),
    async *embed(
      texts,
      {
        layer = -1,
        onProgress,
        pooling = "mean",
        special = false,
        normalize = false,
        maxLength = Math.min(1024, longest),
        long = "window",
        nameOf = (i: number) => `sequence ${i + 1}`,
      } = {},
    ) {
      if (maxLength > longest)
        throw new ConfigError(
          `embed, maxLength: expected at most the ${longest} tokens that the model takes, got ${maxLength}.`,
        );
      const layers = layerIndices(typeof layer === "number" ? [layer] : layer, count);
      if (pooling === "pooler" && layers.some((each) => each !== count - 1))
        throw new ConfigError(
          `embed, pooling "pooler": expected the last layer, which the pooler was trained on, got layer ` +
            `${typeof layer === "number" ? layer : layer.join(", ")}. Leave the layer out.`,
        );
      yield* embeddings(runner, needed("embed"), hidden, texts, {
        layers,
        onProgress,
        pooling,
        special,
        normalize,
        maxLength,
        long,
        nameOf,
      });
    },
    fillMask: async (text, { top = 5 } = {}) => fillMasks(runner, needed("fillMask"), vocab, text, top, longest),
    dispose: () => runner.dispose(),
  };
}

/** The layer's index from 0. Throws ConfigError if there is no such layer. */
export function layerIndex(layer: number, count: number): number {
  const at = layer < 0 ? layer + count : layer;
  if (!(Number.isSafeInteger(layer) && at >= 0 && at < count)) {
    throw new ConfigError(
      `layer: expected a whole number from ${-count} to ${count - 1} (0 the embeddings, ${count - 1} or -1 the ` +
        `last layer), got ${layer}.`,
    );
  }
  return at;
}

/** The indices from 0 of different layers. Throws ConfigError for none, and for a layer that is named twice. */
export function layerIndices(layers: readonly number[], count: number): readonly number[] {
  const indices = layers.map((layer) => layerIndex(layer, count));
  const twice = indices.findIndex((index, i) => indices.indexOf(index) < i);
  if (indices.length === 0) throw new ConfigError("layer: expected at least one layer, got none.");
  if (twice >= 0)
    throw new ConfigError(
      `layer: expected different layers, got ${layers.join(", ")}, in which ${layers[twice]} is a layer of before. ` +
        "Leave it out.",
    );
  return indices;
}

async function* checked(
  sequences: Many<Sequence>,
  { vocab, maxPositions = Infinity, tokenTypes }: InferenceModel,
  shortest: number,
): AsyncGenerator<Piece, void, undefined> {
  let index = 0;
  for await (const sequence of sequences) {
    index++;
    const piece: Piece = "ids" in sequence ? sequence : { ids: sequence };
    const { ids, types } = piece;
    const where = `sequence ${index}`;
    if (ids.length < shortest)
      throw new ConfigError(
        `${where}: expected at least ${shortest} token id${shortest === 1 ? "" : "s"}, got ${ids.length}.`,
      );
    if (ids.length > maxPositions)
      throw new ConfigError(
        `${where}: expected at most the ${maxPositions} tokens that the model takes, got ${ids.length}. Cut it.`,
      );
    expectBelow(ids, vocab, `${where}: expected token ids`, "Were they made with another tokenizer?");
    if (types !== undefined) {
      if (tokenTypes === undefined)
        throw new ConfigError(
          `${where}: expected ids alone, for this model has no token types, got some. Leave them out.`,
        );
      if (types.length !== ids.length)
        throw new ConfigError(`${where}: expected ${ids.length} token types, as many as ids, got ${types.length}.`);
      expectBelow(
        types,
        tokenTypes,
        `${where}: expected token types`,
        "0 stands for the first text, 1 for the second.",
      );
    }
    yield piece;
  }
}

function expectBelow(values: Ids, end: number, expected: string, next: string): void {
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if (!(Number.isInteger(value) && value >= 0 && value < end))
      throw new ConfigError(`${expected} from 0 to ${end - 1}, got ${value} at place ${i}. ${next}`);
  }
}

function outputsJob(
  model: InferenceModel,
  inside: Inside,
  { logits = false, attentions = false, contacts = false }: Wanted,
  states: readonly number[],
): Job<Piece, SequenceOutputs> {
  const { hidden, vocab } = model;
  const maps = attentions ? inside.attentions : 0;
  return {
    wanted: { logits, states, attentions, contacts },
    elements: (seq) =>
      Math.max(
        1,
        seq * ((logits ? vocab : 0) + states.length * hidden + (contacts ? seq : 0) + maps * inside.heads * seq),
      ),
    take(outputs, row, seq, { ids: { length: n } }) {
      const numbers = (name: string): Float32Array => outputs[name] as Float32Array;
      const rowsOf = (name: string, width: number): F32Tensor =>
        f32([n, width], numbers(name).slice(row * seq * width, (row * seq + n) * width));
      return {
        ...(logits && { logits: rowsOf("logits", vocab) }),
        ...(states.length > 0 && { hiddenStates: states.map((layer) => rowsOf(`states.${layer}`, hidden)) }),
        ...(attentions && {
          attentions: Array.from({ length: maps }, (_, i) =>
            f32([inside.heads, n, n], corners(numbers(`attentions.${i}`), row * inside.heads, inside.heads, seq, n)),
          ),
        }),
        ...(contacts && { contacts: f32([n - 2, n - 2], corners(numbers("contacts"), row, 1, seq - 2, n - 2)) }),
      };
    },
  };
}

/** The n x n corners of `count` squares with side `size`, starting at square number `first`. */
function corners(squares: Float32Array, first: number, count: number, size: number, n: number): Float32Array {
  const out = new Float32Array(count * n * n);
  for (let k = 0; k < count; k++) {
    for (let i = 0; i < n; i++) {
      const from = ((first + k) * size + i) * size;
      out.set(squares.subarray(from, from + n), (k * n + i) * n);
    }
  }
  return out;
}
