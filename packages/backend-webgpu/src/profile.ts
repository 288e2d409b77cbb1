/**
 * What a device is, in plain data: all that compilation may ask of it. Text, tiles and plans are functions of a program
 * and a profile, so they are tested without a device.
 */

/**
 * Whose defaults to take. `software`: SwiftShader, lavapipe: barriers are dear and a workgroup is a loop on a CPU core.
 */
export type Family = "nvidia" | "amd" | "intel" | "apple" | "mobile" | "software" | "unknown";

export interface SubgroupMatrixConfig {
  readonly component: "f16" | "f32";
  readonly result: "f16" | "f32";
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

export interface Profile {
  readonly family: Family;
  /** Vendor, device and driver, in words. */
  readonly device: string;
  readonly limits: {
    /** Storage buffers one kernel may bind. */
    readonly storageBuffers: number;
    /** Largest piece of a buffer one binding may show, in bytes. */
    readonly bindingBytes: number;
    /** Largest buffer, in bytes. */
    readonly bufferBytes: number;
    /** Invocations in a workgroup. */
    readonly invocations: number;
    /** Workgroup memory, in bytes. */
    readonly sharedBytes: number;
    /** Workgroups along one axis of a dispatch. */
    readonly workgroups: number;
    /** Bytes that the offset of a binding is a multiple of. */
    readonly offsetAlignment: number;
  };
  /** 16-bit floats in WGSL: there and found right by the self-test. */
  readonly f16: boolean;
  readonly subgroups: { readonly min: number; readonly max: number } | undefined;
  /** Empty unless asked for and there. */
  readonly subgroupMatrix: readonly SubgroupMatrixConfig[];
}

/** Limits every WebGPU device has; the profile of tests that make text and run nothing. */
export const baseProfile: Profile = {
  family: "unknown",
  device: "any WebGPU device",
  limits: {
    storageBuffers: 8,
    bindingBytes: 128 * 2 ** 20,
    bufferBytes: 256 * 2 ** 20,
    invocations: 256,
    sharedBytes: 16 * 2 ** 10,
    workgroups: 65535,
    offsetAlignment: 256,
  },
  f16: false,
  subgroups: undefined,
  subgroupMatrix: [],
};
