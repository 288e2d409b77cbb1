/**
 * Graphs as ONNX models: the input of ONNX Runtime on the CPU, and the export format. Writing a model needs no engine.
 */
export { OPSET, toOnnx, type OnnxModel, type OnnxParts } from "./to-onnx.ts";
export { nativeIn, NATIVE_COMPOSITES } from "./composite-table.ts";
export type { ElementType, ValueInfo } from "./model-proto.ts";
export { narrow, widen } from "./widen.ts";
