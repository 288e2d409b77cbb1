/**
 * Where `GPU` comes from: `navigator.gpu` where there is one, the npm package `webgpu` (Dawn) in Node.
 *
 * Traps of Dawn in Node, each seen: an instance that is collected before its devices and adapters crashes the process,
 * also when all of them became garbage together. So one instance for each set of flags stays as long as the process
 * does. It holds neither the event loop nor the exit.
 */
import { unavailable, type Probe } from "@cloze/backend";
import type { create } from "webgpu";
import { messageOf } from "./errors.ts";

export type NotHere = Extract<Probe, { readonly available: false }>;

export interface GpuOptions {
  /** Bounds checks that the device adds to kernels. Default true; only Dawn in Node can do without. */
  readonly robustness?: boolean;
  /** Part of the name of the adapter to take, where a machine has several. Only in Node. */
  readonly adapterName?: string;
  /** Exact times, where kernels are timed: Dawn rounds them to 100 us otherwise. */
  readonly timestamps?: boolean;
  /** Name of the package, or address of the file, that gives WebGPU in Node. */
  readonly dawn?: string;
}

export interface Entry {
  readonly gpu: GPU;
  readonly host: "browser" | "dawn";
}

export const isNotHere = (x: object): x is NotHere => "reason" in x && "remedy" in x;

/** Of the page or the worker; Node 20 has none. */
declare const navigator: { readonly gpu?: GPU | null } | undefined;

/** Allowed to live as long as the process: see above. */
const instances = new Map<string, GPU>();

export async function openGpu({
  robustness = true,
  adapterName,
  timestamps = false,
  dawn = "webgpu",
}: GpuOptions = {}): Promise<Entry | NotHere> {
  const own = browserGpu();
  if (own !== undefined) return { gpu: own, host: "browser" };
  if (typeof process === "undefined" || process.versions?.node === undefined)
    return unavailable("this browser has no WebGPU (navigator.gpu is missing)", BROWSER_REMEDY);
  // Without them Dawn offers no f16 on NVIDIA and no subgroup matrices anywhere; the second is used only where asked
  // for.
  const on = ["allow_unsafe_apis", "vulkan_enable_f16_on_nvidia", ...(robustness ? [] : ["disable_robustness"])];
  const flags = [
    `enable-dawn-features=${on.join()}`,
    ...(timestamps ? ["disable-dawn-features=timestamp_quantization"] : []),
    ...(adapterName === undefined ? [] : [`adapter=${adapterName}`]),
  ];
  const key = [dawn, ...flags].join("\n");
  const known = instances.get(key);
  if (known !== undefined) return { gpu: known, host: "dawn" };
  try {
    // By a name that bundlers cannot see, so that what they make for browsers does not hold it.
    const loaded = (await import(/* @vite-ignore */ /* webpackIgnore: true */ dawn)) as {
      readonly create: typeof create;
    };
    const gpu = instances.get(key) ?? loaded.create(flags);
    instances.set(key, gpu);
    return { gpu, host: "dawn" };
  } catch (error) {
    return notLoaded(dawn, error);
  }
}

function browserGpu(): GPU | undefined {
  return typeof navigator === "undefined" ? undefined : (navigator.gpu ?? undefined);
}

const BROWSER_REMEDY =
  "Use a browser with WebGPU (Chrome, Edge, Safari 26, Firefox 141 or newer) over https or on localhost. In " +
  "Chrome on Linux it may have to be switched on: chrome://flags/#enable-unsafe-webgpu and " +
  "--enable-features=Vulkan.";

function notLoaded(dawn: string, error: unknown): NotHere {
  const code = (error as { readonly code?: unknown } | null)?.code;
  const why = messageOf(error);
  if (code === "ERR_MODULE_NOT_FOUND" && why.includes(dawn))
    return unavailable(
      `the package ${dawn} is not installed`,
      `Install it beside this package: npm install ${dawn}@0.6.`,
    );
  return unavailable(
    `the package ${dawn} does not load (${why})`,
    "Its binary covers Linux and Windows on x64 and arm64 and macOS; on Linux it needs glibc 2.34 or newer. " +
      (dawn.startsWith("file:") ? "Install the packages again: npm install" : `Reinstall it: npm install ${dawn}@0.6.`),
  );
}

/** What would help where there is WebGPU but no adapter. */
export function noAdapter(host: Entry["host"]): NotHere {
  if (host === "browser") {
    return unavailable(
      "this browser finds no WebGPU adapter",
      "Look at chrome://gpu for why. On Linux: --enable-features=Vulkan and a driver for the GPU; without a GPU: " +
        "--enable-unsafe-webgpu --use-webgpu-adapter=swiftshader.",
    );
  }
  const remedies: Readonly<Record<string, string>> = {
    linux:
      "WebGPU runs on Vulkan here: install its loader and a driver. Debian and Ubuntu: apt install libvulkan1 " +
      "mesa-vulkan-drivers (Debian 12's own Mesa 22 is refused: take it from bookworm-backports). For NVIDIA: " +
      "the driver with its Vulkan part (libnvidia-gl; in containers NVIDIA_DRIVER_CAPABILITIES=all).",
    darwin: "WebGPU runs on Metal here: update macOS; virtual machines often have no GPU.",
    win32: "WebGPU runs on Direct3D 12 here: update the GPU's driver.",
  };
  return unavailable(
    "no GPU driver that Dawn accepts was found",
    remedies[process.platform] ?? "Install a Vulkan driver for the GPU.",
  );
}
