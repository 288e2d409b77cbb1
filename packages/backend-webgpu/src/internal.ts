/**
 * Internal exports for the benches of this repository: single kernels, and devices as the backend opens them. Users
 * must not import this file; it may change with any version.
 */
export { openDevice, type DeviceOptions, type OpenDevice } from "./runtime/device.ts";
export { isNotHere, openGpu } from "./runtime/gpu.ts";
export { defaultTile, matmulPart, tileCandidates, tileName, type Tile } from "./matmul/index.ts";
export {
  operandBuffer,
  plainMatmul,
  preparePart,
  readFloats,
  runOnce,
  type PlainMatmul,
  type PlainRun,
  type PlainSizes,
} from "./matmul/run-part.ts";
export { prepare as prepareAttention } from "./attention/harness.ts";
export { attentionRules, isFlash } from "./attention/rules.ts";
