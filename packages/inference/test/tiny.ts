/** A tiny ESM-2 whose weights are large enough for attention to have an effect, and proteins of many lengths. */
import { backend } from "@cloze/backend-reference";
import { createEncoder, type EncoderOptions, type SequenceEncoder } from "@cloze/inference";
import { esm2, esm2Configs, type Esm2 } from "@cloze/models/esm2";
import { encoderInputs, initialize, parametersOf } from "@cloze/nn";
import { esm2 as esm2Tokenizer, type ProteinTokenizer } from "@cloze/tokenizer-protein";
import type { HostTensors } from "@cloze/graph";

export const tokenizer: ProteinTokenizer = esm2Tokenizer();
export const model: Esm2 = esm2({
  ...esm2Configs["esm2-8m"],
  layers: 2,
  hidden: 16,
  heads: 2,
  intermediate: 32,
  initializerRange: 0.3,
});

/** A contact head as if it had been trained: a new one is zero, and refused. */
const contactHead: HostTensors = {
  "esm.contact_head.regression.weight": {
    dtype: "f32",
    shape: [1, 4],
    data: Float32Array.of(0.5, -0.25, 1, 0.75),
  },
};

const drawn = initialize(
  parametersOf((scope) => {
    const inputs = encoderInputs(scope.graph, 1, 4);
    const { last, attentions } = model.outputs(scope, inputs);
    model.predict(scope, last.reshape([-1, model.hidden]));
    model.contacts(scope, inputs, attentions);
  }),
  3,
);

export const weights: HostTensors = { ...drawn, ...contactHead };

export const encoder = (options: Partial<EncoderOptions> = {}): Promise<SequenceEncoder> =>
  createEncoder({ backend: backend(), model, weights, tokenizer, ...options });

/** A protein of `n` residues, which depend on the position and on `n`. */
export const protein = (n: number): string =>
  Array.from({ length: n }, (_, i) => "LAGVSERTIDPKQNFYMHWC"[(i * i + 3 * i + n) % 20]).join("");

export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

export function difference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length || a.length === 0) return Infinity;
  return Array.from(a).reduce<number>((worst, x, i) => {
    const d = Math.abs(x - (b[i] as number));
    return d <= worst ? worst : d;
  }, 0);
}
