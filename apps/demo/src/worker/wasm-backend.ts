/**
 * The backend TensorFlow.js on WebAssembly: only its core and its WebAssembly backend, with the three builds from which
 * the browser chooses.
 */
import type { Backend } from "@cloze/backend";
import { backend } from "@cloze/backend-tfjs";
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import * as core from "@tensorflow/tfjs-core";
import plain from "@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm?url";
import simd from "@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm?url";
import threads from "@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-threaded-simd.wasm?url";

export async function wasmBackend(): Promise<Backend> {
  setWasmPaths({
    "tfjs-backend-wasm.wasm": plain,
    "tfjs-backend-wasm-simd.wasm": simd,
    "tfjs-backend-wasm-threaded-simd.wasm": threads,
  });
  core.enableProdMode();
  await core.setBackend("wasm");
  return backend({ tf: { ...core, version: { "tfjs-core": core.version_core } } });
}
