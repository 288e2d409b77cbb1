/**
 * What an adapter says of itself, as the plain data that compilation asks: the family by its names, limits, features.
 */
import type { Family, Profile, SubgroupMatrixConfig } from "../profile.ts";

/** What is read of a GPUAdapterInfo; browsers may leave any of it empty. */
export interface AdapterWords {
  readonly vendor: string;
  readonly architecture: string;
  readonly device: string;
  readonly description: string;
  readonly isFallbackAdapter?: boolean;
}

const SOFTWARE = /swiftshader|llvmpipe|lavapipe|softpipe|\bwarp\b|basic render|\bsoftware\b/i;

/** In this order: a software driver tells it in any of its names, whoever the vendor is. */
const FAMILIES: readonly (readonly [Family, RegExp])[] = [
  ["nvidia", /nvidia|geforce|quadro|tesla/i],
  ["amd", /\bamd\b|radeon|advanced micro devices/i],
  ["intel", /intel/i],
  ["apple", /apple/i],
  ["mobile", /qualcomm|adreno|\barm\b|mali|img-tec|imagination|powervr|samsung|xclipse/i],
];

export function familyOf({
  vendor,
  architecture,
  device,
  description,
  isFallbackAdapter = false,
}: AdapterWords): Family {
  const all = [vendor, architecture, device, description].join(" ");
  if (isFallbackAdapter || SOFTWARE.test(all)) return "software";
  return (
    (FAMILIES.find(([, names]) => names.test(vendor)) ?? FAMILIES.find(([, names]) => names.test(all)))?.[0] ??
    "unknown"
  );
}

/** "NVIDIA H200, driver 570.1": the fullest words there are. */
export function deviceName(info: AdapterWords): string {
  const words = [info.description, info.device, info.architecture].find((text) => text !== "") ?? "";
  const named =
    info.vendor !== "" &&
    !words.toLowerCase().includes(info.vendor.toLowerCase()) &&
    info.vendor !== "mesa" &&
    info.vendor !== "google";
  return `${named ? `${info.vendor} ` : ""}${words}`.trim() || "a GPU that does not tell its name";
}

/** Limits to ask for: the adapter's own, of all that matters to a compute kernel. */
export const LIMITS = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxStorageBuffersPerShaderStage",
  "minStorageBufferOffsetAlignment",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
  "maxComputeWorkgroupSizeY",
  "maxComputeWorkgroupSizeZ",
  "maxComputeWorkgroupsPerDimension",
] as const;

export type Limits = { readonly [L in (typeof LIMITS)[number]]: number };

export interface DeviceFacts {
  readonly info: AdapterWords & { readonly subgroupMinSize?: number; readonly subgroupMaxSize?: number };
  readonly limits: Limits;
  /** Of the device, not of the adapter: what was asked for and given. */
  readonly features: ReadonlySet<string>;
  /** 16-bit floats passed the self-test. */
  readonly f16: boolean;
  readonly subgroupMatrix: readonly SubgroupMatrixConfig[];
}

export function profileOf({ info, limits, features, f16, subgroupMatrix }: DeviceFacts): Profile {
  const { subgroupMinSize: min, subgroupMaxSize: max } = info;
  return {
    family: familyOf(info),
    device: deviceName(info),
    limits: {
      storageBuffers: limits.maxStorageBuffersPerShaderStage,
      bindingBytes: floor4(limits.maxStorageBufferBindingSize),
      bufferBytes: floor4(limits.maxBufferSize),
      invocations: limits.maxComputeInvocationsPerWorkgroup,
      sharedBytes: limits.maxComputeWorkgroupStorageSize,
      workgroups: limits.maxComputeWorkgroupsPerDimension,
      offsetAlignment: limits.minStorageBufferOffsetAlignment,
    },
    f16,
    // Without sizes nothing can be tiled by them: they count as absent.
    subgroups:
      features.has("subgroups") && min !== undefined && max !== undefined && min > 0 ? { min, max } : undefined,
    subgroupMatrix: features.has("subgroups") ? subgroupMatrix : [],
  };
}

/** Some drivers say 2^32 - 1: sizes of buffers are multiples of 4. */
const floor4 = (bytes: number): number => bytes - (bytes % 4);
