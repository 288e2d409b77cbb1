/** Checks of whole programs: random chains with gradients, determinism, mixed precision, and an encoder in training. */
import type { Backend } from "@cloze/backend";
import { UnsupportedError } from "@cloze/errors";
import {
  crossEntropy,
  embedding,
  grad,
  Graph,
  program,
  rematerialise,
  showType,
  type HostTensor,
  type HostTensors,
  type Program,
  type Tensor,
} from "@cloze/graph";
import { runOnce, type Check } from "../check.ts";
import { drawInput } from "../draw.ts";
import { expected } from "../oracle.ts";
import { randomGraph } from "../random-graph.ts";
import { expectClose } from "../tolerance.ts";
import { trainingStep } from "../tiny-encoder.ts";

const SEEDS = Array.from({ length: 16 }, (_, i) => i + 1);

function chain(seed: number, length: number): { readonly program: Program; readonly feeds: HostTensors } {
  const { graph, outputs, inputs } = randomGraph(seed, length);
  const grads = Object.fromEntries(grad(outputs["total"] as Tensor, inputs).map((g, i) => [`d${i}`, g]));
  return {
    program: program(graph, { state: [], outputs: { ...outputs, ...grads }, feeds: inputs }),
    feeds: Object.fromEntries(
      inputs.map((x) => [(x.attrs as { readonly name: string }).name, drawInput(`${seed}`, "f32", x.shape)]),
    ),
  };
}

/** Runs a program twice in one session and once in another: the three results are exactly equal. */
async function sameBits(backend: Backend, p: Program, feeds: HostTensors): Promise<void> {
  const executable = await backend.compile(p);
  const one = await backend.start({});
  const two = await backend.start({});
  try {
    const [first, ...others] = [
      await one.run(executable, feeds),
      await one.run(executable, feeds),
      await two.run(executable, feeds),
    ] as const;
    for (const other of others) expectClose(other, first, "exact");
  } finally {
    await one.dispose();
    await two.dispose();
    await executable.dispose();
  }
}

function scattered(): { readonly program: Program; readonly feeds: HostTensors } {
  const g = new Graph();
  const table = g.input("table", "f32", [5, 16]);
  const ids = g.input("ids", "i32", [300]);
  const x = embedding(table, ids);
  const [d] = grad(x.tanh().mul(x).sum(), [table]) as [Tensor];
  return {
    program: program(g, { state: [], outputs: { d } }),
    feeds: { table: drawInput("table", "f32", [5, 16]), ids: drawInput("ids", "i32", [300], { below: 5 }) },
  };
}

/** Trains for some steps. Compares the loss with the interpreter's after each step, and all state after the last. */
async function train(backend: Backend, steps: number, change: (p: Program) => Program = (p) => p): Promise<void> {
  const { program: whole, state: initial, feeds } = trainingStep();
  const p = change(whole);
  let state = initial;
  const executable = await backend.compile(p);
  const session = await backend.start(initial);
  try {
    for (let step = 1; step <= steps; step++) {
      const want = expected(p, state, feeds(step));
      expectClose(await session.run(executable, feeds(step)), want.outputs, "training");
      state = want.state;
    }
    expectClose(await session.read(), state, "training");
  } finally {
    await session.dispose();
    await executable.dispose();
  }
}

/**
 * 16-bit contractions: loss and gradient are within 1 % (f16) or 6 % (bf16) of the f32 values, relative to the largest
 * element. A backend may refuse to compile with UnsupportedError instead.
 */
async function mixed(backend: Backend, compute: "f16" | "bf16"): Promise<void> {
  const g = new Graph();
  const x = g.input("x", "f32", [8, 32]);
  const w = g.input("w", "f32", [32, 9]);
  const targets = g.input("targets", "i32", [8]);
  const loss = crossEntropy(x.matmul(w), targets).mean();
  const [dw] = grad(loss, [w]) as [Tensor];
  const p = program(g, { state: [w], outputs: { loss, dw } });
  const feeds = { x: drawInput("x", "f32", [8, 32]), targets: drawInput("targets", "i32", [8], { below: 9 }) };
  const state = { w: drawInput("w", "f32", [32, 9], { uniform: [-0.3, 0.3] }) };
  const compiled = await backend.compile(p, { compute }).catch((error: unknown) => {
    if (UnsupportedError.isInstance(error)) return undefined;
    throw error;
  });
  if (compiled === undefined) return;
  const session = await backend.start(state);
  try {
    const got = await session.run(compiled, feeds);
    const want = expected(p, state, feeds).outputs;
    for (const [name, tensor] of Object.entries(want)) {
      const off = worst(name, got[name], tensor);
      const allowed = compute === "f16" ? 0.01 : 0.06;
      if (!(off <= allowed))
        throw new Error(
          `${name}: expected to be within ${allowed} of the f32 value, relative to its largest element; it is ` +
            `off by ${off}`,
        );
    }
  } finally {
    await session.dispose();
    await compiled.dispose();
  }
}

/** The largest difference, divided by the largest |want|. Throws where the types differ. */
function worst(name: string, got: HostTensor | undefined, want: HostTensor): number {
  if (got === undefined || showType(got) !== showType(want))
    throw new Error(`${name}: expected ${showType(want)}, got ${got === undefined ? "nothing" : showType(got)}`);
  let largest = 0;
  let off = 0;
  for (let i = 0; i < want.data.length; i++) {
    largest = Math.max(largest, Math.abs(want.data[i] as number));
    off = Math.max(off, Math.abs((want.data[i] as number) - (got.data[i] as number)));
  }
  return off / largest;
}

const needs = ["f32", "i32", "bool"] as const;

export const wholeProgramChecks: readonly Check[] = [
  ...SEEDS.map((seed): Check => ({
    name: `chains > random graph ${seed}`,
    needs,
    run: (backend) => {
      const { program: p, feeds } = chain(seed, 10 + 5 * seed);
      return runOnce(backend, p, {}, feeds, "training");
    },
  })),
  {
    name: "determinism > a random chain",
    needs,
    run: (backend) => {
      const { program: p, feeds } = chain(99, 60);
      return sameBits(backend, p, feeds);
    },
  },
  {
    name: "determinism > rows scattered onto few",
    needs,
    run: (backend) => {
      const { program: p, feeds } = scattered();
      return sameBits(backend, p, feeds);
    },
  },
  { name: "compute > f16 contractions", needs, run: (backend) => mixed(backend, "f16") },
  { name: "compute > bf16 contractions", needs, run: (backend) => mixed(backend, "bf16") },
  { name: "training > one step of a two-layer encoder", needs: [...needs, "u32"], run: (backend) => train(backend, 1) },
  {
    name: "training > six steps of a two-layer encoder",
    needs: [...needs, "u32"],
    run: (backend) => train(backend, 6),
  },
  {
    name: "training > two steps of a two-layer encoder, rematerialised",
    needs: [...needs, "u32"],
    run: (backend) => train(backend, 2, rematerialise),
  },
];
