/** onnxruntime-node, loaded when first asked for: an optional peer, since it is 45 MB of native library. */
import { UnsupportedError } from "@cloze/errors";
import type * as ort from "onnxruntime-node";

export type Runtime = typeof ort;

export async function loadRuntime(): Promise<Runtime> {
  try {
    return await import("onnxruntime-node");
  } catch (cause) {
    const why = cause instanceof Error ? (cause.message.split("\n")[0] as string) : String(cause);
    throw new UnsupportedError(`backend onnxruntime: onnxruntime-node did not load (${why}). ${REMEDY}`, { cause });
  }
}

export const REMEDY: string =
  "Install it beside this package: npm install onnxruntime-node@1.30 --ignore-scripts (its script only fetches a " +
  "CUDA provider). Its CPU library covers Linux and Windows on x64, Linux and macOS on arm64.";
