/**
 * Dawn: the module that gives WebGPU in Node. The published package holds the files of the package webgpu in `webgpu/`.
 * webgpu is not a dependency, because it has an install script, and pnpm ends an install with an error for that script.
 */
import { existsSync } from "node:fs";

/**
 * The value for the option `dawn` of the WebGPU backend. In a checkout, webgpu is a development dependency of the
 * backend.
 */
export function dawnModule(): string {
  const shipped = new URL("../webgpu/index.js", import.meta.url);
  return existsSync(shipped) ? shipped.href : "webgpu";
}
