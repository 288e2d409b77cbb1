/**
 * The loading of TensorFlow.js, by kind: its packages, its name for the backend, and the errors where it cannot run.
 *
 * A package is loaded only on request. In Node two things are prepared first. One is `util.isNullOrUndefined`, which
 * TensorFlow.js still calls and Node 23 removed. The other is the environment that TensorFlow reads at its start
 * (memory growth, TF32, messages on stderr), where the user has not set it.
 */
import { available, unavailable, type Probe } from "@cloze/backend";
import { ConfigError, UnsupportedError } from "@cloze/errors";
import type { Tfjs } from "./tfjs.ts";
import { Unfit } from "./unfit.ts";
import { expectWasm, type WasmPaths } from "./wasm-files.ts";

export const KINDS = ["node-gpu", "node", "webgpu", "webgl", "wasm", "cpu"] as const;
export type Kind = (typeof KINDS)[number];

export interface LoadOptions {
  /**
   * On CUDA, computes products in TF32, with 10 bits of mantissa, which is several times faster. Default false: f32, as
   * on every other backend.
   */
  readonly tf32?: boolean;
  /** On CUDA, takes memory when it is needed instead of all memory at the start. Default true. */
  readonly memoryGrowth?: boolean;
  /**
   * In browsers, for wasm: the address of each .wasm file by its name, or of a folder that holds the files. Default:
   * the folder of the page.
   */
  readonly wasmPaths?: WasmPaths;
}

interface Way {
  readonly packages: readonly string[];
  /** The backend's name inside TensorFlow.js. */
  readonly name: string;
  /** The device, as text. */
  readonly device: string;
  import(options: LoadOptions): Promise<object>;
}

/** Imports by a name that bundlers do not see: a page cannot hold a native package. */
const hidden = async (name: string): Promise<object> =>
  (await import(/* @vite-ignore */ /* webpackIgnore: true */ name)) as object;

const ways: { readonly [K in Kind]: Way } = {
  "node-gpu": {
    packages: ["@tensorflow/tfjs-node-gpu"],
    name: "tensorflow",
    device: "GPU, TensorFlow with CUDA",
    import: () => hidden("@tensorflow/tfjs-node-gpu"),
  },
  node: {
    packages: ["@tensorflow/tfjs-node"],
    name: "tensorflow",
    device: "CPU, TensorFlow",
    import: () => hidden("@tensorflow/tfjs-node"),
  },
  webgpu: {
    packages: ["@tensorflow/tfjs", "@tensorflow/tfjs-backend-webgpu"],
    name: "webgpu",
    device: "GPU, TensorFlow.js with WebGPU",
    import: async () => (await import("@tensorflow/tfjs-backend-webgpu"), import("@tensorflow/tfjs")),
  },
  webgl: {
    packages: ["@tensorflow/tfjs"],
    name: "webgl",
    device: "GPU, TensorFlow.js with WebGL",
    import: () => import("@tensorflow/tfjs"),
  },
  wasm: {
    packages: ["@tensorflow/tfjs", "@tensorflow/tfjs-backend-wasm"],
    name: "wasm",
    device: "CPU, TensorFlow.js with WebAssembly",
    import: async ({ wasmPaths }) => {
      const wasm = await import("@tensorflow/tfjs-backend-wasm");
      if (!isNode()) {
        if (wasmPaths !== undefined) wasm.setWasmPaths(wasmPaths as Parameters<typeof wasm.setWasmPaths>[0]);
        await expectWasm(wasmPaths);
      }
      return import("@tensorflow/tfjs");
    },
  },
  cpu: {
    packages: ["@tensorflow/tfjs"],
    name: "cpu",
    device: "CPU, TensorFlow.js in JavaScript",
    import: () => import("@tensorflow/tfjs"),
  },
};

export interface Loaded {
  readonly tf: Tfjs;
  /** The backend's name inside TensorFlow.js. */
  readonly name: string;
  readonly device: string;
}

const GUIDE = "docs/how-to/tfjs-cuda.md has versions that work.";

/** Loads TensorFlow.js. Throws UnsupportedError with the fault and the remedy. */
export function load(kind: Kind, options: LoadOptions = {}): Promise<Loaded> {
  return fit(kind, options).catch((error: unknown) => {
    throw error instanceof Unfit
      ? new UnsupportedError(`backend tfjs:${kind}: ${error.message}`, { cause: error.cause })
      : error;
  });
}

/** Loads and starts TensorFlow.js. Throws Unfit where it cannot run. */
async function fit(kind: Kind, options: LoadOptions): Promise<Loaded> {
  const way = Object.hasOwn(ways, kind) ? ways[kind] : undefined;
  if (way === undefined)
    throw new ConfigError(`backend tfjs: expected kind ${KINDS.join(", ")}, got ${JSON.stringify(kind)}.`);
  if (isNode()) await prepareNode(way, options);
  const tf = tfjsIn(
    await way.import(options).catch((cause: unknown) => {
      throw cause instanceof Unfit ? cause : failure(way, cause);
    }),
    way,
  );
  // Otherwise the JavaScript kernels recommend the native package at every start, and every run searches for NaN.
  tf.enableProdMode();
  if (!(await tf.setBackend(way.name).catch(() => false)))
    throw new Unfit(
      `TensorFlow.js could not start its backend "${way.name}".`,
      isNode() && (kind === "webgl" || kind === "webgpu")
        ? "It is for browsers: in Node take tfjs:node or tfjs:wasm."
        : "Is it supported here?",
    );
  await tf.ready();
  if (kind === "node-gpu" && !usesGpu(tf)) {
    throw new Unfit(
      "TensorFlow sees no GPU.",
      "It needs an NVIDIA driver and the CUDA and cuDNN libraries that its libtensorflow was built with (for " +
        "2.9.1: CUDA 11.2, cuDNN 8.1) in LD_LIBRARY_PATH, and CUDA_VISIBLE_DEVICES must not be empty; what it " +
        `could not load is on stderr with TF_CPP_MIN_LOG_LEVEL=0. ${GUIDE}`,
    );
  }
  return { tf, name: way.name, device: way.device };
}

const isNode = (): boolean => typeof process === "object" && typeof process.versions?.node === "string";

/** The TensorFlow.js in a module. A CommonJS package has its exports in the default export too. */
function tfjsIn(module: object, { packages }: Way): Tfjs {
  for (const candidate of [module, (module as { readonly default?: object }).default]) {
    if (typeof candidate === "object" && candidate !== null && "engine" in candidate && "getKernel" in candidate)
      return candidate as Tfjs;
  }
  throw new Unfit(`${packages.join(" and ")} loaded, but is no TensorFlow.js.`, "Install it again.");
}

const usesGpu = (tf: Tfjs): boolean =>
  (tf.backend() as { readonly isUsingGpuDevice?: boolean }).isUsingGpuDevice === true;

async function prepareNode(way: Way, { tf32 = false, memoryGrowth = true }: LoadOptions): Promise<void> {
  // Not an import, so that bundlers for browsers do not look for the module.
  const util = process.getBuiltinModule("node:util") as { isNullOrUndefined?: (value: unknown) => boolean };
  util.isNullOrUndefined ??= (value) => value === null || value === undefined;
  const { env } = process;
  env["TF_CPP_MIN_LOG_LEVEL"] ??= "2";
  env["TF_FORCE_GPU_ALLOW_GROWTH"] ??= String(memoryGrowth);
  env["NVIDIA_TF32_OVERRIDE"] ??= tf32 ? "1" : "0";
  if (way.name !== "tensorflow") return;
  expectAddon(way);
  // If both native packages are loaded, the second one would warn for each kernel that it registers again.
  const shared = (await import("@tensorflow/tfjs").catch(() => undefined)) as
    { readonly enableProdMode?: () => void; readonly default?: { readonly enableProdMode?: () => void } } | undefined;
  (shared?.enableProdMode ?? shared?.default?.enableProdMode)?.();
}

/**
 * Throws Unfit where the native addon of a package is missing. Without this check the import would register all kernels
 * and then throw, and the kernels would stay registered.
 */
function expectAddon({ packages: [name = ""] }: Way): void {
  const { createRequire } = process.getBuiltinModule("node:module");
  const { existsSync, readdirSync } = process.getBuiltinModule("node:fs");
  const { dirname, join } = process.getBuiltinModule("node:path");
  let home: string;
  try {
    home = dirname(createRequire(import.meta.url).resolve(`${name}/package.json`));
  } catch {
    return; // The package is not installed; the import reports this.
  }
  const lib = join(home, "lib");
  const built = existsSync(lib) ? readdirSync(lib, { recursive: true }) : [];
  if (!built.some((file) => String(file).endsWith("tfjs_binding.node"))) throw withoutAddon(name);
}

const withoutAddon = (name: string): Unfit =>
  new Unfit(
    `${name} is installed without its native addon: its install script did not run, or could not fetch libtensorflow.`,
    `Run: npm rebuild ${name} (with --build-addon-from-source where there is no prebuilt one); ${GUIDE}`,
  );

/** The fault and the remedy, from the error of an import. */
function failure({ packages }: Way, cause: unknown): Unfit {
  const said = cause instanceof Error ? cause.message : String(cause);
  const first = said.split("\n")[0]?.trim().replace(/\.$/, "") ?? "";
  const missing = packages.find((name) => said.includes(`'${name}'`) || said.includes(`"${name}"`));
  const native = packages[0] as string;
  if ((cause as { readonly code?: unknown }).code === "ERR_MODULE_NOT_FOUND" && missing !== undefined) {
    return new Unfit(
      `${packages.join(" and ")} ${packages.length > 1 ? "are" : "is"} not installed.`,
      `Run: npm install ${packages.join(" ")}`,
      { cause },
    );
  }
  const broken = `the native addon of ${native} does not load: ${first}.`;
  if (/libcud|libcublas|libnv/.test(said)) {
    return new Unfit(
      broken,
      "The CUDA libraries it was built with are not here: install that version, or put its folder into " +
        `LD_LIBRARY_PATH. ${GUIDE}`,
      { cause },
    );
  }
  return new Unfit(broken, `Run: npm rebuild ${native}; ${GUIDE}`, { cause });
}

/** Can this kind run here? */
export async function probeKind(kind: Kind, options: LoadOptions = {}): Promise<Probe> {
  try {
    const { tf, device } = await fit(kind, options);
    const version = tf.version["tfjs-node"] ?? tf.version["tfjs"] ?? tf.version["tfjs-core"] ?? "unknown";
    return available(device, { tfjs: version, ...libraryOf(tf) });
  } catch (error) {
    if (error instanceof Unfit) return unavailable(error.reason, error.remedy);
    throw error;
  }
}

function libraryOf(tf: Tfjs): Record<string, string> {
  const version = (tf.backend() as { readonly binding?: { readonly TF_Version?: string } }).binding?.TF_Version;
  return version === undefined ? {} : { libtensorflow: version };
}
