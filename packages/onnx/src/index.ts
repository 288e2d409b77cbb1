/**
 * Graphs as ONNX models: what ONNX Runtime is given on the CPU, and what is exported. No engine is needed to write one.
 */
export { OPSET, toOnnx, type OnnxModel, type OnnxParts } from "./to-onnx.ts";
export { nativeIn, NATIVE_COMPOSITES } from "./composite-table.ts";
export type { ElementType, ValueInfo } from "./model-proto.ts";
export { narrow, widen } from "./widen.ts";
