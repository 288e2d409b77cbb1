/**
 * The part of TensorFlow.js that this backend uses, the same for all of its packages: kernels by name, tensors, memory
 * counts.
 *
 * This backend runs kernels by name on the engine, below the tensor API. Thus nothing is checked twice, no scope is
 * kept, and compilation already knows which kernels a backend lacks.
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

/** TensorFlow.js has no other number types. A u32 is stored as the int32 with the same bits. */
export type TfDType = "float32" | "int32" | "bool";
export type HostValues = Float32Array | Int32Array | Uint8Array;

export interface DeviceTensor {
  readonly shape: readonly number[];
  readonly dtype: string;
  data(): Promise<Float32Array | Int32Array | Uint8Array>;
  dataSync(): Float32Array | Int32Array | Uint8Array;
  dispose(): void;
}
