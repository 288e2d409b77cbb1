/** Programs with handwritten kernels, for tests of the runtime without the compiler. */
import { fromNumbers, Graph, hostTensor, program, type HostTensor, type HostTensors, type Program } from "@cloze/graph";
import type { Binding, Compiled, Deferred, Kernel, Storage } from "../src/kernel.ts";
import type { Compiler } from "../src/runtime/backend.ts";

export interface Handmade {
  readonly program: Program;
  readonly compiled: Compiled;
}

export const storage = (
  kind: Storage["kind"],
  name: string,
  size: number,
  element: Storage["element"] = "f32",
  data?: Storage["data"],
): Storage => ({ kind, name, element, size, ...(data === undefined ? {} : { data }) });

export const reads = (s: Storage): Binding => ({ storage: s, access: "read" });
export const writes = (s: Storage): Binding => ({ storage: s, access: "read_write" });

/** A kernel whose bindings are b0, b1, …, and whose `body` runs for each `i` below `count`. */
export function kernel(
  name: string,
  bindings: readonly Binding[],
  count: number,
  body: string,
  path: string = "model.layer",
): Kernel {
  const declared = bindings.map(
    ({ storage: { element }, access }, i) =>
      `@group(0) @binding(${i}) var<storage, ${access}> b${i}: array<${element}>;`,
  );
  const f16 = bindings.some(({ storage: { element } }) => element === "f16") ? "enable f16;\n" : "";
  const wgsl =
    `${f16}${declared.join("\n")}\n@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: ` +
    `vec3<u32>) {\n  let i = id.x;\n  if (i >= ${count}u) { return; }\n  ${body}\n}\n`;
  return { name, path, wgsl, bindings, grid: [Math.ceil(count / 64), 1, 1], flops: 0 };
}

/** A compiler for exactly these programs, which it recognises by identity. */
export const compilerOf = (...all: readonly Handmade[]): Compiler => ({
  composites: [],
  compile: (wanted) => {
    const found = all.find((each) => each.program === wanted);
    if (found === undefined) throw new Error("nobody wrote kernels for this program");
    return found.compiled;
  },
});

/** A program with the update count -> count + by. Its output is the old count. */
export function counter(): Handmade {
  const g = new Graph();
  const count = g.input("count", "f32", []);
  const by = g.input("by", "f32", []);
  const wanted = program(g, { state: [count], outputs: { before: count.mul(1) }, updates: { count: count.add(by) } });
  const s = storage("state", "count", 1);
  const feed = storage("feed", "by", 1);
  const before = storage("temporary", "before", 1);
  return {
    program: wanted,
    compiled: {
      kernels: [
        kernel("copy", [writes(before), reads(s)], 1, "b0[i] = b1[i];"),
        kernel("add", [writes(s), reads(feed)], 1, "b0[i] = b0[i] + b1[i];"),
      ],
      outputs: new Map([["before", before]]),
    },
  };
}

/** y = sum over steps of (x + k): a chain of `length` temporaries of `size` elements, the first kept to the end. */
export function chain(length: number, size: number): Handmade {
  const g = new Graph();
  const x = g.input("x", "f32", [size]);
  const wanted = program(g, { state: [], outputs: { y: x.add(length + 0.5).add(x) } });
  const feed = storage("feed", "x", size);
  const all = Array.from({ length }, (_, k) => storage("temporary", `t${k}`, size));
  const kernels = all.map((t, k) => {
    const before = all[k - 1];
    return before === undefined
      ? kernel("first", [writes(t), reads(feed)], size, "b0[i] = b1[i];")
      : kernel("next", [writes(t), writes(before)], size, "b0[i] = b1[i] + 1.0;");
  });
  const y = storage("temporary", "y", size);
  return {
    program: wanted,
    compiled: {
      kernels: [
        ...kernels,
        kernel(
          "end",
          [writes(y), writes(all.at(-1) as Storage), writes(all[0] as Storage)],
          size,
          "b0[i] = b1[i] + 1.5 + b2[i];",
        ),
      ],
      outputs: new Map([["y", y]]),
    },
  };
}

/**
 * A program that multiplies all state by a factor, in one kernel over the whole state buffer. Its table of windows is
 * made when the places are known.
 */
export function scaled(sizes: Readonly<Record<string, number>>): Handmade {
  const g = new Graph();
  const by = g.input("by", "f32", []);
  const inputs = Object.entries(sizes).map(([name, size]) => [name, g.input(name, "f32", [size])] as const);
  const wanted = program(g, {
    state: inputs.map(([, x]) => x),
    outputs: {},
    updates: Object.fromEntries(inputs.map(([name, x]) => [name, x.mul(by)])),
  });
  const states = Object.entries(sizes).map(([name, size]) => storage("state", name, size));
  const feed = storage("feed", "by", 1);
  const total = Object.values(sizes).reduce((a, b) => a + b, 0);
  const deferred: Deferred = {
    name: "windows",
    path: "optimizer",
    bindings: [...states.map(writes), reads(feed)],
    link: (placeOf) => {
      const windows = states.map((s) => ({ ...placeOf(s), size: s.size }));
      const buffer = windows[0]?.buffer ?? 0;
      const rows = storage(
        "table",
        "windows",
        2 * windows.length,
        "u32",
        Uint32Array.from(windows.flatMap(({ offset, size }) => [offset / 4, size])),
      );
      const text = kernel(
        "windows",
        [writes(states[0] as Storage), reads(rows), reads(feed)],
        total,
        `
  var at = i; var row = 0u;
  loop { if (at < b1[2u * row + 1u]) { break; } at -= b1[2u * row + 1u]; row += 1u; }
  let place = b1[2u * row] + at;
  b0[place] = b0[place] * b2[0];`,
        "optimizer",
      );
      return [{ ...text, bindings: [{ buffer, access: "read_write" }, reads(rows), reads(feed)] }];
    },
  };
  return { program: wanted, compiled: { kernels: [deferred], outputs: new Map() } };
}

export const f32 = (...numbers: number[]): HostTensor => fromNumbers("f32", [numbers.length], numbers);
export const zeros = (size: number): HostTensor => hostTensor("f32", [size]);
export const scalar = (n: number): HostTensor => fromNumbers("f32", [], [n]);
export const numbersOf = (tensors: HostTensors, name: string): number[] => Array.from(tensors[name]?.data ?? []);
