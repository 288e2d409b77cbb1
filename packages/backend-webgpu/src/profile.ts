/**
 * The profile of a device: the plain data about it that the compiler may use. Kernel text, tiles and plans are
 * functions of a program and a profile, so tests of them need no device.
 */

/**
 * The family of a device, which decides the defaults. `software` is SwiftShader and lavapipe: there barriers are
 * expensive, and a workgroup is a loop on a CPU core.
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
  /** Vendor, device and driver, as text. */
  readonly device: string;
  readonly limits: {
    /** Storage buffers that one kernel may bind. */
    readonly storageBuffers: number;
    /** Largest range of a buffer that one binding may cover, in bytes. */
    readonly bindingBytes: number;
    /** Largest buffer, in bytes. */
    readonly bufferBytes: number;
    /** Invocations in a workgroup. */
    readonly invocations: number;
    /** Workgroup memory, in bytes. */
    readonly sharedBytes: number;
    /** Workgroups along one axis of a dispatch. */
    readonly workgroups: number;
    /** The offset of a binding must be a multiple of this, in bytes. */
    readonly offsetAlignment: number;
  };
  /** WGSL has 16-bit floats, and they passed the self-test. */
  readonly f16: boolean;
  readonly subgroups: { readonly min: number; readonly max: number } | undefined;
  /** The device's matrix sizes; empty unless the caller asked for them and the device has them. */
  readonly subgroupMatrix: readonly SubgroupMatrixConfig[];
}

/** The limits that every WebGPU device has. Tests that only write text use this profile. */
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
