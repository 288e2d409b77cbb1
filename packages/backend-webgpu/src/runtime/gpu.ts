/**
 * The source of the `GPU` object: `navigator.gpu` where it exists, otherwise the npm package `webgpu` (Dawn) in Node.
 *
 * Dawn in Node has a known fault: the process crashes if an instance is collected before its devices and adapters, and
 * also if all of them become garbage together. So this file keeps one instance for each set of flags for the life of
 * the process. An instance blocks neither the event loop nor the exit.
 */
import { unavailable, type Probe } from "@cloze/backend";
import type { create } from "webgpu";
import { messageOf } from "./errors.ts";

export type NotHere = Extract<Probe, { readonly available: false }>;

export interface GpuOptions {
  /** Keeps the bounds checks that the device adds to kernels. Default true; only Dawn in Node can switch them off. */
  readonly robustness?: boolean;
  /** Part of the name of the wanted adapter, on a machine with several. Only in Node. */
  readonly adapterName?: string;
  /** Exact times for timed kernels. Otherwise Dawn rounds times to 100 us. */
  readonly timestamps?: boolean;
  /** Name of the package, or address of the file, that provides WebGPU in Node. */
  readonly dawn?: string;
}

export interface Entry {
  readonly gpu: GPU;
  readonly host: "browser" | "dawn";
}

export const isNotHere = (x: object): x is NotHere => "reason" in x && "remedy" in x;

/** The navigator of the page or worker. Node 20 has none. */
declare const navigator: { readonly gpu?: GPU | null } | undefined;

/** Dawn's instances by flags. They live as long as the process, for the reason in the header. */
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
  // Without these features Dawn offers no f16 on NVIDIA and no subgroup matrices. The backend uses subgroup matrices
  // only where the caller asks for them.
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
    // Bundlers cannot see a name in a variable, so bundles for browsers do not contain the package.
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

/** The answer where there is WebGPU but no adapter, with the remedy for this host. */
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
