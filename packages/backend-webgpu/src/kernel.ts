/**
 * The seam inside this backend: compilation makes kernels over storages, the runtime places storages in buffers and
 * replays kernels. Both sides are plain data; WGSL is text.
 */

/** How elements lie in memory. A bool is a u32, 0 or 1. */
export type Element = "f32" | "f16" | "i32" | "u32";

export const elementBytes: { readonly [E in Element]: number } = { f32: 4, f16: 2, i32: 4, u32: 4 };

/** A contiguous run of elements on the device. Compared by identity. */
export interface Storage {
  readonly kind: "state" | "feed" | "temporary" | "table";
  /** Name of the state or feed; for the others, a label that tells what it holds. */
  readonly name: string;
  readonly element: Element;
  /** Elements. */
  readonly size: number;
  /** Of a table: its contents, uploaded once. */
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
  /** Layer path of what it computes. */
  readonly path: string;
  readonly wgsl: string;
  readonly bindings: readonly Binding[];
  readonly grid: readonly [x: number, y: number, z: number];
  /** Multiplications and additions of contractions; 0 elsewhere. */
  readonly flops: number;
}

/** Where a storage lies: which buffer, and at which byte. */
export interface Place {
  readonly buffer: number;
  readonly offset: number;
}

/**
 * A kernel over windows of whole buffers: its text and its table depend on where storages lie, so it is made when that
 * is known.
 */
export interface Deferred {
  readonly name: string;
  readonly path: string;
  /** Everything it reads or writes, for the planner. */
  readonly bindings: readonly Binding[];
  readonly link: (placeOf: (storage: Storage) => Place) => readonly WindowKernel[];
}

export interface WindowKernel extends Omit<Kernel, "bindings"> {
  /** A whole buffer by number, or a storage. */
  readonly bindings: readonly (Binding | { readonly buffer: number; readonly access: "read" | "read_write" })[];
}

/** A program compiled: kernels in the order they run. */
export interface Compiled {
  readonly kernels: readonly (Kernel | Deferred)[];
  /** Outputs by name: the storage whose first `size of shape` elements are the value. */
  readonly outputs: ReadonlyMap<string, Storage>;
}

/**
 * A WGSL function of the surrounding text that yields one element of an operand, computed on the way if it must be.
 * Its u32 arguments are the indices of the operand as it is stored; what lies outside its shape must not be asked for.
 */
export interface Loader {
  /** `fn name(i: u32, …) -> element`. */
  readonly name: string;
  /**
   * The same for 4 elements that follow each other along the last index, which is a multiple of 4: `-> vec4<element>`.
   */
  readonly vec4?: string;
  readonly element: "f32" | "f16" | "i32" | "u32" | "bool";
}

/** A WGSL function that takes one element of a result, f32, with its indices: `fn name(i: u32, …, value: f32)`. */
export interface Storer {
  readonly name: string;
  /** The same for 4 elements along the last index, a multiple of 4: value is vec4<f32>. */
  readonly vec4?: string;
}

/** What a template makes of a spec: the module-scope text of one kernel that calls loaders and storers by name. */
export interface Part {
  readonly name: string;
  /**
   * WGSL: `var<workgroup>`, functions, `@compute fn main`. No bindings: they belong to whoever wrote the loaders and
   * storers.
   */
  readonly body: string;
  /**
   * `enable` and `requires` lines the text needs, by feature: `f16`, `subgroups`,
   * `chromium_experimental_subgroup_matrix`.
   */
  readonly enables: readonly string[];
  /** Names of the loaders, storers and scratch arrays that the text uses. */
  readonly uses: readonly string[];
  readonly grid: readonly [x: number, y: number, z: number];
  readonly flops: number;
}

/**
 * Memory that parts of one template hand each other: in the text, an array of that name, `array<element>`, read_write.
 */
export interface Scratch {
  readonly name: string;
  readonly element: Element;
  readonly size: number;
}

export const isDeferred = (k: Kernel | Deferred): k is Deferred => "link" in k;
