/**
 * The interface between the two halves of this backend. The compiler makes kernels over storages. The runtime places
 * storages in buffers and replays the kernels. All of it is plain data; WGSL is text.
 */

/** The type of elements in memory. A bool is a u32, 0 or 1. */
export type Element = "f32" | "f16" | "i32" | "u32";

export const elementBytes: { readonly [E in Element]: number } = { f32: 4, f16: 2, i32: 4, u32: 4 };

/** A contiguous run of elements on the device. Two storages are equal only if they are the same object. */
export interface Storage {
  readonly kind: "state" | "feed" | "temporary" | "table";
  /** Name of the state or feed. For a temporary or a table it is a label of the contents. */
  readonly name: string;
  readonly element: Element;
  /** Number of elements. */
  readonly size: number;
  /** The contents of a table, which the runtime uploads once. */
  readonly data?: Uint32Array | Int32Array | Float32Array;
}

export interface Binding {
  readonly storage: Storage;
  readonly access: "read" | "read_write";
}

/** One dispatch. Entry point `main`; binding i of group 0 is `bindings[i]`. */
export interface Kernel {
  /** Family and variant, for plans and errors: `matmul NT 64x64x16`, `row 2 passes`. */
  readonly name: string;
  /** Layer path of the values that the kernel computes. */
  readonly path: string;
  readonly wgsl: string;
  readonly bindings: readonly Binding[];
  readonly grid: readonly [x: number, y: number, z: number];
  /** Multiplications and additions of a contraction; 0 for other kernels. */
  readonly flops: number;
}

/** The place of a storage in memory. */
export interface Place {
  /** Number of the buffer. */
  readonly buffer: number;
  /** First byte. */
  readonly offset: number;
}

/**
 * A kernel over windows of whole buffers. Its text and its table depend on the places of storages, so `link` writes
 * them when the places are known.
 */
export interface Deferred {
  readonly name: string;
  readonly path: string;
  /** All storages that the kernel reads or writes, for the planner. */
  readonly bindings: readonly Binding[];
  readonly link: (placeOf: (storage: Storage) => Place) => readonly WindowKernel[];
}

export interface WindowKernel extends Omit<Kernel, "bindings"> {
  /** Each binding is a whole buffer by number, or a storage. */
  readonly bindings: readonly (Binding | { readonly buffer: number; readonly access: "read" | "read_write" })[];
}

/** A compiled program: its kernels in the order of execution. */
export interface Compiled {
  readonly kernels: readonly (Kernel | Deferred)[];
  /** Storages of the outputs by name. The first `sizeOf(shape)` elements are the value. */
  readonly outputs: ReadonlyMap<string, Storage>;
}

/**
 * A WGSL function of the surrounding text that loads or computes one element of an operand. Its u32 arguments are the
 * indices of the operand as stored. They must be inside the operand's shape.
 */
export interface Loader {
  /** `fn name(i: u32, …) -> element`. */
  readonly name: string;
  /** The version for 4 neighbours along the last index, which is a multiple of 4: `-> vec4<element>`. */
  readonly vec4?: string;
  readonly element: "f32" | "f16" | "i32" | "u32" | "bool";
}

/** A WGSL function that stores one element of a result, given as f32: `fn name(i: u32, …, value: f32)`. */
export interface Storer {
  readonly name: string;
  /** The version for 4 neighbours along the last index, which is a multiple of 4. `value` is a vec4<f32>. */
  readonly vec4?: string;
}

/** The result of a template: the module-scope text of one kernel. The text calls loaders and storers by name. */
export interface Part {
  readonly name: string;
  /**
   * WGSL: `var<workgroup>`, functions, `@compute fn main`. It has no bindings; the writer of the loaders and storers
   * declares them.
   */
  readonly body: string;
  /** The features that the text must enable: `f16`, `subgroups`, `chromium_experimental_subgroup_matrix`. */
  readonly enables: readonly string[];
  /** Names of the loaders, storers and scratch arrays that the text uses. */
  readonly uses: readonly string[];
  readonly grid: readonly [x: number, y: number, z: number];
  readonly flops: number;
}

/** Memory through which the parts of one template pass data. In the text it is an `array<element>` of that name. */
export interface Scratch {
  readonly name: string;
  readonly element: Element;
  readonly size: number;
}

export const isDeferred = (k: Kernel | Deferred): k is Deferred => "link" in k;
