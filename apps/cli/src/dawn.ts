/**
 * Dawn: the module that gives WebGPU in Node. The published package holds the files of the package webgpu in `webgpu/`:
 * as a dependency it would bring an install script, for which pnpm ends an install with an error.
 */
import { existsSync } from "node:fs";

/** For the option `dawn` of the WebGPU backend. A checkout has webgpu as a development dependency of the backend. */
export function dawnModule(): string {
  const shipped = new URL("../webgpu/index.js", import.meta.url);
  return existsSync(shipped) ? shipped.href : "webgpu";
}
