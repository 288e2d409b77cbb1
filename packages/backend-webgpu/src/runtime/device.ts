/**
 * The opening of a device. It takes the best adapter with the adapter's own limits and with all wanted features that it
 * has, and it runs a self-test of 16-bit floats. `notes` says which features are off, and why.
 */
/// <reference types="@webgpu/types" />
import { UnsupportedError } from "@cloze/errors";
import type { Profile, SubgroupMatrixConfig } from "../profile.ts";
import { deviceName, LIMITS, profileOf, type Limits } from "./device-profile.ts";
import { messageOf } from "./errors.ts";
import { checkF16 } from "./f16-check.ts";
import { isNotHere, noAdapter, openGpu, type NotHere } from "./gpu.ts";

export interface DeviceOptions {
  /** The caller's own adapter, used instead of a search. */
  readonly adapter?: GPUAdapter;
  /** The caller's own device. The backend uses it with its features and limits and does not destroy it on dispose. */
  readonly device?: GPUDevice;
  /** The choice on a machine with several GPUs. Default "high-performance". */
  readonly powerPreference?: GPUPowerPreference;
  /** Part of the name of the wanted adapter, on a machine with several. Only in Node. */
  readonly adapterName?: string;
  /** Name of the package, or address of the file, that provides WebGPU in Node. Default "webgpu". */
  readonly dawn?: string;
  /** Uses 16-bit floats where the device has them and they pass the self-test. Default true. */
  readonly f16?: boolean;
  /** Uses subgroups where the device has them. Default true. */
  readonly subgroups?: boolean;
  /** Uses matrix units through an experimental feature of Dawn (in Chrome: --enable-unsafe-webgpu). Default false. */
  readonly subgroupMatrix?: boolean;
  /** Keeps the bounds checks that the device adds to kernels. Default true; false has an effect only in Node. */
  readonly robustness?: boolean;
  /** Times every kernel (`backend.kernelTimes()`), which makes runs slower. Default false. */
  readonly timestamps?: boolean;
}

export interface OpenDevice {
  readonly device: GPUDevice;
  readonly profile: Profile;
  readonly host: "browser" | "dawn";
  /** By feature, whether it is on or off and why, as text. `doctor` prints these notes. */
  readonly notes: Readonly<Record<string, string>>;
  /** Destroys the device, unless it is the caller's own. */
  readonly close: () => void;
}

const SUBGROUP_MATRIX = "chromium-experimental-subgroup-matrix";

/** A device, or the reason why there is none. Throws only for faults of a caller's own adapter or device. */
export async function openDevice(options: DeviceOptions = {}): Promise<OpenDevice | NotHere> {
  if (options.device !== undefined)
    return describe(options.device, "browser", options, new Set(options.device.features), () => undefined);
  const found = await findAdapter(options);
  if (isNotHere(found)) return found;
  const { adapter, host } = found;
  const offered = new Set<string>(adapter.features);
  const wanted = wantedFeatures(options, offered);
  let device: GPUDevice;
  try {
    const requiredLimits = Object.fromEntries(LIMITS.map((name) => [name, adapter.limits[name]]));
    device = await adapter.requestDevice({ requiredFeatures: wanted as GPUFeatureName[], requiredLimits });
  } catch (error) {
    const name = deviceName(adapter.info);
    return {
      available: false,
      reason: `${name} gives no device (${messageOf(error)})`,
      remedy: "Update the GPU's driver, or free its memory: other programs may hold it.",
    };
  }
  try {
    return await describe(device, host, options, offered, () => device.destroy());
  } catch (error) {
    device.destroy();
    throw error;
  }
}

/** A device. Throws UnsupportedError where there is none, with the remedy. */
export async function requireDevice(options: DeviceOptions = {}): Promise<OpenDevice> {
  const found = await openDevice(options);
  if (isNotHere(found)) throw new UnsupportedError(`backend webgpu: ${found.reason}. ${found.remedy}`);
  return found;
}

async function findAdapter(
  options: DeviceOptions,
): Promise<{ readonly adapter: GPUAdapter; readonly host: OpenDevice["host"] } | NotHere> {
  if (options.adapter !== undefined) return { adapter: options.adapter, host: "browser" };
  const entry = await openGpu(options);
  if (isNotHere(entry)) return entry;
  const { gpu, host } = entry;
  try {
    const adapter = await gpu.requestAdapter({ powerPreference: options.powerPreference ?? "high-performance" });
    return adapter === null ? noAdapter(host) : { adapter, host };
  } catch (error) {
    return { ...noAdapter(host), reason: `no adapter: ${messageOf(error)}` };
  }
}

function wantedFeatures(
  { f16 = true, subgroups = true, subgroupMatrix = false, timestamps = false }: DeviceOptions,
  offered: ReadonlySet<string>,
): readonly string[] {
  const wanted = [
    ...(f16 ? ["shader-f16"] : []),
    ...(subgroups ? ["subgroups"] : []),
    ...(timestamps ? ["timestamp-query"] : []),
  ];
  // Matrix units need both other features: WebGPU requires it, and so do the kernels.
  const matrix =
    subgroupMatrix && f16 && subgroups && offered.has("subgroups") && offered.has("shader-f16")
      ? [SUBGROUP_MATRIX]
      : [];
  return [...wanted, ...matrix].filter((name) => offered.has(name));
}

async function describe(
  device: GPUDevice,
  host: OpenDevice["host"],
  options: DeviceOptions,
  offered: ReadonlySet<string>,
  close: () => void,
): Promise<OpenDevice> {
  const features = new Set<string>(device.features);
  const { f16 = true } = options;
  const wrong = f16 && features.has("shader-f16") ? await checkF16(device) : undefined;
  const limits = Object.fromEntries(LIMITS.map((name) => [name, device.limits[name]])) as Limits;
  const profile = profileOf({
    info: device.adapterInfo,
    limits,
    features,
    f16: f16 && features.has("shader-f16") && wrong === undefined,
    subgroupMatrix: features.has(SUBGROUP_MATRIX) ? matrixConfigs(device.adapterInfo) : [],
  });
  return { device, profile, host, notes: notesOf(profile, options, offered, features, wrong), close };
}

interface RawMatrixConfig {
  readonly componentType: string;
  readonly resultComponentType: string;
  readonly M: number;
  readonly N: number;
  readonly K: number;
}

/** Dawn's list of matrix sizes. The list is not in the standard, so it may be absent. Integer matrices are skipped. */
function matrixConfigs(info: object): readonly SubgroupMatrixConfig[] {
  const raw = (info as { readonly subgroupMatrixConfigs?: Iterable<RawMatrixConfig> }).subgroupMatrixConfigs ?? [];
  return [...raw].flatMap(({ componentType: component, resultComponentType: result, M: m, N: n, K: k }) =>
    isFloat(component) && isFloat(result) ? [{ component, result, m, n, k }] : [],
  );
}

const isFloat = (name: string): name is "f16" | "f32" => name === "f16" || name === "f32";

const MIB = 2 ** 20;

function notesOf(
  profile: Profile,
  options: DeviceOptions,
  offered: ReadonlySet<string>,
  features: ReadonlySet<string>,
  wrong: string | undefined,
): Readonly<Record<string, string>> {
  const { limits, subgroups, subgroupMatrix } = profile;
  const off = (name: string, asked: boolean): string =>
    !asked
      ? "off: not asked for"
      : !offered.has(name)
        ? "off: the driver does not offer it"
        : "off: the device was made without it";
  const matrix = subgroupMatrix.map((c) => `${c.m}x${c.n}x${c.k} ${c.component} to ${c.result}`);
  return {
    kind: profile.family === "software" ? "software: a driver that computes on the CPU" : profile.family,
    f16: profile.f16
      ? "on"
      : wrong === undefined
        ? off("shader-f16", options.f16 ?? true)
        : `off: it fails the self-test: ${wrong}`,
    subgroups:
      subgroups === undefined
        ? off("subgroups", options.subgroups ?? true)
        : `of ${subgroups.min === subgroups.max ? subgroups.min : `${subgroups.min} to ${subgroups.max}`}`,
    "matrix units": matrix.length > 0 ? matrix.join(", ") : matrixOff(options, offered, features),
    limits:
      `${limits.storageBuffers} buffers a kernel, ${Math.floor(limits.bindingBytes / MIB)} MiB a binding, ` +
      `${Math.floor(limits.bufferBytes / MIB)} MiB a buffer, ${limits.invocations} invocations and ` +
      `${limits.sharedBytes / 1024} KiB a workgroup`,
    ...(options.robustness === false ? { "bounds checks": "off: as asked" } : {}),
  };
}

function matrixOff(
  { subgroupMatrix = false }: DeviceOptions,
  offered: ReadonlySet<string>,
  features: ReadonlySet<string>,
): string {
  if (!offered.has(SUBGROUP_MATRIX)) return "off: the driver does not offer them";
  if (!subgroupMatrix) return "off: experimental, on with the option subgroupMatrix";
  return features.has(SUBGROUP_MATRIX) ? "off: none for floats" : "off: they need f16 and subgroups";
}
