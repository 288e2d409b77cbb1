/**
 * BERT's pooler: from the state of the first token, a vector for the whole sequence. Source: Devlin et al. 2018,
 * arXiv:1810.04805, section 3.
 */
import type { Tensor } from "@cloze/graph";
import { linear, type LinearOptions } from "./linear.ts";
import type { Scope } from "./scope.ts";

/**
 * tanh(dense(first)). Parameters: dense.weight `[hidden, hidden]`, dense.bias `[hidden]`. Shapes: first `[n, hidden]`
 * f32 -> same.
 */
export function pooler(scope: Scope, first: Tensor<"f32">, options: LinearOptions = {}): Tensor<"f32"> {
  const dense = scope.at("dense");
  const y = linear(dense, first, first.shape[first.rank - 1] as number, options);
  return scope.within(() => y.tanh());
}
