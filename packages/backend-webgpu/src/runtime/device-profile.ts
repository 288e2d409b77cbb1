/**
 * The conversion of an adapter's own description to a profile: family (from the adapter's names), limits and features.
 */
import type { Family, Profile, SubgroupMatrixConfig } from "../profile.ts";

/** The fields of a GPUAdapterInfo that this file reads. Browsers may leave any of them empty. */
export interface AdapterWords {
  readonly vendor: string;
  readonly architecture: string;
  readonly device: string;
  readonly description: string;
  readonly isFallbackAdapter?: boolean;
}

const SOFTWARE = /swiftshader|llvmpipe|lavapipe|softpipe|\bwarp\b|basic render|\bsoftware\b/i;

/** Families with the names that show them, tried in this order. `familyOf` tests for software drivers first. */
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

/** The most complete name of a device: "NVIDIA H200, driver 570.1". */
export function deviceName(info: AdapterWords): string {
  const words = [info.description, info.device, info.architecture].find((text) => text !== "") ?? "";
  const named =
    info.vendor !== "" &&
    !words.toLowerCase().includes(info.vendor.toLowerCase()) &&
    info.vendor !== "mesa" &&
    info.vendor !== "google";
  return `${named ? `${info.vendor} ` : ""}${words}`.trim() || "a GPU that does not tell its name";
}

/** The limits that matter to compute kernels. The backend asks the device for the adapter's own values. */
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
  /** Features of the device, not of the adapter: requested and granted. */
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
    // Tiles need the subgroup sizes. Without sizes, subgroups count as absent.
    subgroups:
      features.has("subgroups") && min !== undefined && max !== undefined && min > 0 ? { min, max } : undefined,
    subgroupMatrix: features.has("subgroups") ? subgroupMatrix : [],
  };
}

/** Rounds down to a multiple of 4, as buffer sizes must be. Some drivers report 2^32 - 1. */
const floor4 = (bytes: number): number => bytes - (bytes % 4);
