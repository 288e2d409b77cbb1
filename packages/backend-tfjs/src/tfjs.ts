/**
 * What this backend uses of a TensorFlow.js, whichever of its packages it comes from: kernels by name, tensors, memory
 * counts.
 *
 * Kernels are run by name on the engine, below the functions of the tensor API: no checks are paid twice, no scope is
 * kept, and a kernel that a backend lacks is known when a program is compiled.
 */
export interface Tfjs {
  engine(): Engine;
  getBackend(): string;
  setBackend(name: string): Promise<boolean>;
  ready(): Promise<void>;
  enableProdMode(): void;
  memory(): { readonly numTensors: number; readonly numBytes: number };
  getKernel(kernel: string, backend: string): object | null | undefined;
  backend(): object;
  readonly version: Readonly<Record<string, string>>;
}

export interface Engine {
  runKernel(
    kernel: string,
    inputs: Readonly<Record<string, unknown>>,
    attrs?: Readonly<Record<string, unknown>>,
  ): unknown;
  makeTensor(values: HostValues, shape: number[], dtype: TfDType): DeviceTensor;
}

/** TensorFlow.js has no other number types: u32 travels as the int32 of the same bits. */
export type TfDType = "float32" | "int32" | "bool";
export type HostValues = Float32Array | Int32Array | Uint8Array;

export interface DeviceTensor {
  readonly shape: readonly number[];
  readonly dtype: string;
  data(): Promise<Float32Array | Int32Array | Uint8Array>;
  dataSync(): Float32Array | Int32Array | Uint8Array;
  dispose(): void;
}
