/**
 * A small traced tensor graph: closed base ops, open composites, reverse mode, rewriting, and an interpreter that
 * defines them.
 */
export { bytesPerElement, hostTensor, isFloat, sameShape, showShape, showType, sizeOf } from "./dtype.ts";
export type { DType, FloatDType, HostTensor, HostTensors, Shape, TensorType } from "./dtype.ts";
export { fromNumbers, toNumbers } from "./host.ts";
export { bfloat16ToNumber, float16ToNumber, numberToBfloat16, numberToFloat16 } from "./float16.ts";
export { DTypeError, ShapeError, type GraphErrorFacts } from "./errors.ts";
export { Graph } from "./graph.ts";
export { Tensor, type Operand } from "./tensor.ts";
export { groups, isOp, type Node, type Op, type Ops } from "./op.ts";
export { dims } from "./dims.ts";
export { call, call1, composite, type Composite, type CompositeOf, type Param, type Params } from "./composite.ts";
export { grad, pullback } from "./grad.ts";
export { order, orderByDemand, readers } from "./walk.ts";
export { verify } from "./verify.ts";
export { print } from "./print.ts";
export { rewrite, rule, runPass, type Rewritten, type Rule } from "./rewrite.ts";
export { dropDetachRules, expandRules, simplifyRules } from "./simplify.ts";
export { castPolicyRules } from "./cast-policy.ts";
export { lower, type LowerOptions } from "./passes.ts";
export { rematerialise, type RematerialiseOptions } from "./rematerialise.ts";
export { bytesOf, peakLiveBytes } from "./live-bytes.ts";
export { program, programRoots, withRoots, type Program, type ProgramParts } from "./program.ts";
export { interpret, interpretByNode, type InterpretOptions, type Value } from "./interpret.ts";
export { middleNumbers, randomBits, rowBits } from "./random-bits.ts";

export {
  gelu,
  geluComposite,
  geluTanh,
  geluTanhComposite,
  relu,
  sigmoid,
  sigmoidComposite,
  silu,
  siluComposite,
} from "./composites/activations.ts";
export { adamwComposite, adamwStep, type AdamWScalars } from "./composites/adamw.ts";
export {
  attention,
  attentionBackwardComposite,
  attentionComposite,
  type AttentionOptions,
} from "./composites/attention.ts";
export { barrier, barrierComposite } from "./composites/barrier.ts";
export { crossEntropy, crossEntropyBackwardComposite, crossEntropyComposite } from "./composites/cross-entropy.ts";
export { dropout, dropoutComposite, dropoutMask } from "./composites/dropout.ts";
export { embedding, embeddingComposite } from "./composites/embedding.ts";
export { layerNorm, layerNormComposite, rmsNorm, rmsNormComposite } from "./composites/layer-norm.ts";
export { newtonSchulz, newtonSchulzComposite, polarExpress } from "./composites/newton-schulz.ts";
export { rope, ropeComposite } from "./composites/rope.ts";
export { logSumExp, softmax, softmaxComposite } from "./composites/softmax.ts";
