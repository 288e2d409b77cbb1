/**
 * Runtime: ONNX Runtime's own module, loaded at its first use. It has the types of onnxruntime-common.
 *
 * The published package holds the files of onnxruntime-node for the CPU, in `onnxruntime/`. onnxruntime-node is not a
 * dependency, because its install script downloads from another host and fails where that host is out of reach
 * (docs/decisions/0023). A checkout has onnxruntime-node as a development dependency instead.
 */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import type * as ort from "onnxruntime-common";
import { homeFolder } from "./home.ts";
import { MissingRuntime } from "./missing-runtime.ts";

export type Runtime = typeof ort;

/** Throws MissingRuntime. */
export async function loadRuntime(home: string = homeFolder()): Promise<Runtime> {
  const shipped = join(home, "onnxruntime");
  const platform = `${process.platform}-${process.arch}`;
  if (existsSync(shipped) && !existsSync(join(shipped, "bin/napi-v6", process.platform, process.arch)))
    throw new MissingRuntime(`expected ONNX Runtime for ${platform}, got ${PLATFORMS} only`, ELSEWHERE);
  try {
    return createRequire(join(home, "package.json"))(existsSync(shipped) ? shipped : "onnxruntime-node") as Runtime;
  } catch (cause) {
    throw explained(cause);
  }
}

function explained(cause: unknown): MissingRuntime {
  const said = cause instanceof Error ? (cause.message.split("\n")[0] as string) : String(cause);
  if (/ld-linux|musl/.test(said))
    return new MissingRuntime(`expected a Linux with glibc, got one without (${said})`, ELSEWHERE, { cause });
  return new MissingRuntime(`ONNX Runtime did not load (${said})`, "Install the packages again: npm install", {
    cause,
  });
}

const PLATFORMS = "Linux and Windows on x64 and arm64, macOS on arm64";

const ELSEWHERE =
  "TensorFlow.js in WebAssembly runs there: npm install @tensorflow/tfjs @tensorflow/tfjs-backend-wasm, for " +
  "@cloze/backend-tfjs; cloze takes it by itself.";
