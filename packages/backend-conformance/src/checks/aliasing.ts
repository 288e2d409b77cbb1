/**
 * Checks of aliasing and guards: programs in which one tensor has several roles (state, feed, output, update), and
 * programs with a guard. A backend that reuses buffers wrongly fails here. The interpreter gives the expected values.
 */
import { Graph, program, type HostTensor, type Program, type Tensor } from "@cloze/graph";
import { expected } from "../oracle.ts";
import type { Check } from "../check.ts";
import { drawInput } from "../draw.ts";
import { expectClose } from "../tolerance.ts";

type T = Tensor<"f32">;
type Build = (s: { readonly a: T; readonly b: T; readonly x: T }) => {
  readonly outputs?: Record<string, Tensor>;
  readonly updates?: Record<string, Tensor>;
  readonly guard?: Tensor;
};

/** A check with state a, b and feed x, all f32 [3, 3]. Three runs; compares outputs and state after each run. */
const check = (name: string, build: Build): Check => ({
  name,
  needs: ["f32"],
  run: async (backend) => {
    const g = new Graph();
    const [a, b, x] = ["a", "b", "x"].map((n) => g.input(n, "f32", [3, 3])) as [T, T, T];
    const { outputs = {}, updates = {}, guard } = build({ a, b, x });
    const p: Program = program(g, { state: [a, b], outputs, updates, feeds: [x], guard });
    let state: Record<string, HostTensor> = { a: drawInput("a", "f32", [3, 3]), b: drawInput("b", "f32", [3, 3]) };
    const executable = await backend.compile(p);
    const session = await backend.start(state);
    try {
      for (let run = 0; run < 3; run++) {
        const feeds = { x: drawInput(`x${run}`, "f32", [3, 3]) };
        const want = expected(p, state, feeds);
        expectClose(await session.run(executable, feeds), want.outputs, "arithmetic");
        expectClose(await session.read(), want.state, "arithmetic");
        state = { ...want.state };
      }
    } finally {
      await session.dispose();
      await executable.dispose();
    }
  },
});

/** True in the first run and false in the other two: the drawn x has a negative sum only in the first run. */
const sometimes = (x: T): Tensor => x.sum().less(0);

export const aliasingChecks: readonly Check[] = [
  check("aliasing > two states change places", ({ a, b }) => ({ updates: { a: b, b: a } })),
  check("aliasing > each update reads the other's old value", ({ a, b, x }) => ({
    updates: { a: a.add(b), b: a.mul(2).sub(x) },
  })),
  check("aliasing > an update that is the state itself", ({ a, b }) => ({ outputs: { y: a.add(b) }, updates: { a } })),
  check("aliasing > an update that is a feed", ({ a, x }) => ({ outputs: { y: a.add(x) }, updates: { a: x } })),
  check("aliasing > an update that is a constant", ({ a }) => ({
    outputs: { y: a.mul(2) },
    updates: { a: a.graph.full([3, 3], 0.25, "f32") },
  })),
  check("aliasing > an update of one state by another", ({ a, b }) => ({ updates: { a: b, b: b.mul(0.5).add(a) } })),
  check("aliasing > one tensor updates both", ({ a, b, x }) => {
    const y = a.mul(b).add(x);
    return { updates: { a: y, b: y } };
  }),
  check("aliasing > one tensor is output and update", ({ a, x }) => {
    const y = a.add(x);
    return { outputs: { y }, updates: { a: y } };
  }),
  check("aliasing > one tensor is two outputs", ({ a, x }) => {
    const y = a.add(x);
    return { outputs: { y, again: y } };
  }),
  check("aliasing > the old value is an output", ({ a, x }) => ({ outputs: { old: a }, updates: { a: a.add(x) } })),
  check("aliasing > a feed is an output", ({ a, x }) => ({ outputs: { x, y: a.add(x) }, updates: { a: a.add(x) } })),
  check("aliasing > an update reads its state after it could be overwritten", ({ a, b, x }) => {
    const next = a.add(x);
    return { updates: { a: next, b: next.mul(b).sub(a) } };
  }),
  check("aliasing > a state transposed into itself", ({ a }) => ({ updates: { a: a.transpose() } })),
  check("aliasing > a state multiplied into itself", ({ a }) => ({
    updates: { a: a.matmul(a, { transposeB: true }).mul(0.1) },
  })),
  check("aliasing > views of one state", ({ a, x }) => ({
    outputs: { top: a.slice(0, 0, 1), flat: a.reshape([9]), wide: a.broadcast([2, 3, 3]) },
    updates: { a: a.add(x) },
  })),
  check("aliasing > a value kept across many others", ({ a, x }) => {
    let y: T = x;
    for (let i = 0; i < 12; i++)
      y = y
        .mul(0.9)
        .add(a.slice(0, i % 3, (i % 3) + 1))
        .tanh();
    return { outputs: { y: y.add(x.exp()) }, updates: { a: y.add(a) } };
  }),
  check("aliasing > values that branch and join", ({ a, b, x }) => {
    let [p, q]: [T, T] = [a, b];
    for (let i = 0; i < 6; i++) [p, q] = [p.add(q.mul(0.3)).tanh(), q.sub(p.mul(0.2)).add(x)];
    return { outputs: { p, q }, updates: { a: p, b: q } };
  }),

  check("guard > a false one keeps all state", ({ a, x }) => ({
    outputs: { y: a.add(x) },
    updates: { a: a.add(x) },
    guard: x.sum().equal(x.sum()).not(),
  })),
  check("guard > a true one replaces it", ({ a, b, x }) => ({
    outputs: { y: a.add(x) },
    updates: { a: a.add(x), b: b.mul(x) },
    guard: x.sum().equal(x.sum()),
  })),
  check("guard > by what is fed", ({ a, b, x }) => ({
    outputs: { ok: sometimes(x), y: b.mul(2) },
    updates: { a: a.add(x), b: a },
    guard: sometimes(x),
  })),
  check("guard > where something is not finite", ({ a, x }) => {
    const d = x.div(x.sub(x)).mul(0);
    return { outputs: { d }, updates: { a: a.sub(d) }, guard: d.sub(d).equal(0).cast("f32").sum().equal(9) };
  }),
  check("guard > of a program without outputs", ({ a, b, x }) => ({ updates: { a: b, b: a }, guard: sometimes(x) })),
];
