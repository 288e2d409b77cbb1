/** The WebGPU backend for Node and browsers. It runs a program as a few fused kernels. */
export { backend, estimate, type BackendOptions, type EstimateOptions } from "./open.ts";
export { probe } from "./runtime/probe.ts";
export type { Compute, WebGpuBackend } from "./runtime/backend.ts";
export type { DeviceOptions } from "./runtime/device.ts";
export type { RuntimeOptions } from "./runtime/runtime.ts";
export type { Estimate } from "./runtime/estimate.ts";
export type { Sized } from "./runtime/layout.ts";
export type { KernelTime } from "./runtime/timing.ts";
export { baseProfile, type Family, type Profile, type SubgroupMatrixConfig } from "./profile.ts";
export { DeviceLostError, KernelError } from "./runtime/errors.ts";
export { browserCache, memoryCache, type DeviceWords, type TileCache } from "./tune/index.ts";
export type { TileOptions } from "./tiles.ts";
