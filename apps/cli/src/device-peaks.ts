/**
 * The peak rates of GPUs, to compare with the rate of a run: dense operations per second, in 10^12, by the type of the
 * factors.
 *
 * `f32` is the rate of the ordinary cores. `tf32`, `f16` and `bf16` are the rates of the matrix units, with f32 sums
 * and without sparsity; data sheets print twice as much, with sparsity. CPUs are not in the table: cores, clock and
 * vector width differ too much. Sources: the makers' data sheets and architecture papers, named in each row.
 */

export interface Peaks {
  readonly f32: number;
  /** Absent if the GPU has no matrix unit for the type. */
  readonly tf32?: number;
  readonly f16?: number;
  readonly bf16?: number;
}

export interface KnownDevice {
  readonly name: string;
  /** Matches the name that a driver gives the device. */
  readonly pattern: RegExp;
  readonly peaks: Peaks;
  readonly source: string;
}

/** The first row whose pattern matches counts, so special names stand before general ones. */
export const KNOWN_DEVICES: readonly KnownDevice[] = [
  {
    name: "H200",
    pattern: /\bG?H200\b/i,
    peaks: { f32: 67, tf32: 494.7, f16: 989.4, bf16: 989.4 },
    source: "NVIDIA H200 data sheet (SXM)",
  },
  {
    name: "H100 PCIe",
    pattern: /\bH100.?PCIe/i,
    peaks: { f32: 51.2, tf32: 378, f16: 756, bf16: 756 },
    source: "NVIDIA H100 architecture paper",
  },
  {
    name: "H100 NVL",
    pattern: /\bH100.?NVL/i,
    peaks: { f32: 60, tf32: 417.5, f16: 835.5, bf16: 835.5 },
    source: "NVIDIA H100 data sheet (NVL)",
  },
  {
    name: "H100",
    pattern: /\bH100\b/i,
    peaks: { f32: 66.9, tf32: 494.7, f16: 989.4, bf16: 989.4 },
    source: "NVIDIA H100 architecture paper (SXM5)",
  },
  {
    name: "A100",
    pattern: /\bA100\b/i,
    peaks: { f32: 19.5, tf32: 156, f16: 312, bf16: 312 },
    source: "NVIDIA A100 data sheet",
  },
  {
    name: "A10",
    pattern: /\bA10\b/i,
    peaks: { f32: 31.2, tf32: 62.5, f16: 125, bf16: 125 },
    source: "NVIDIA A10 data sheet",
  },
  {
    name: "L40S",
    pattern: /\bL40S\b/i,
    peaks: { f32: 91.6, tf32: 183, f16: 362.05, bf16: 362.05 },
    source: "NVIDIA L40S data sheet",
  },
  {
    name: "L4",
    pattern: /\bL4\b/i,
    peaks: { f32: 30.3, tf32: 60, f16: 121, bf16: 121 },
    source: "NVIDIA L4 data sheet",
  },
  { name: "V100", pattern: /\bV100\b/i, peaks: { f32: 15.7, f16: 125 }, source: "NVIDIA V100 data sheet (SXM2)" },
  { name: "T4", pattern: /\bT4\b/i, peaks: { f32: 8.1, f16: 65 }, source: "NVIDIA T4 data sheet" },
  {
    name: "RTX 4090",
    pattern: /\bRTX 4090\b/i,
    peaks: { f32: 82.6, tf32: 82.6, f16: 165.2, bf16: 165.2 },
    source: "NVIDIA Ada architecture paper",
  },
  {
    name: "RTX 3090",
    pattern: /\bRTX 3090\b(?! Ti)/i,
    peaks: { f32: 35.6, tf32: 35.6, f16: 71, bf16: 71 },
    source: "NVIDIA GA102 architecture paper",
  },
  {
    name: "MI300X",
    pattern: /\bMI300X\b/i,
    peaks: { f32: 163.4, tf32: 653.7, f16: 1307.4, bf16: 1307.4 },
    source: "AMD Instinct MI300X data sheet",
  },
];

/** The device of a name, which comes from a user or a driver; undefined if the table does not have it. */
export const knownDevice = (name: string): KnownDevice | undefined =>
  KNOWN_DEVICES.find(({ pattern }) => pattern.test(name));
