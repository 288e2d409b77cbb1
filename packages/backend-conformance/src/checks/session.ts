/**
 * Checks of a session: state lives between runs, programs share state, a wrong call is an error that changes nothing,
 * and dispose ends the session.
 */
import { ClozeError } from "@cloze/errors";
import {
  fromNumbers,
  Graph,
  program,
  toNumbers,
  type DType,
  type HostTensor,
  type HostTensors,
  type Program,
} from "@cloze/graph";
import type { Backend, Session } from "@cloze/backend";
import type { Check } from "../check.ts";
import { drawInput } from "../draw.ts";
import { expectClose } from "../tolerance.ts";

const f32 = (shape: readonly number[], ...numbers: number[]): HostTensor => fromNumbers("f32", shape, numbers);
const numbersOf = (tensors: HostTensors, name: string): number[] => {
  const tensor = tensors[name];
  if (tensor === undefined)
    throw new Error(`expected a tensor "${name}", got ${Object.keys(tensors).join(", ") || "none"}`);
  return Array.from(toNumbers(tensor));
};

function equal(what: string, got: unknown, want: unknown): void {
  if (JSON.stringify(got) !== JSON.stringify(want))
    throw new Error(`${what}: expected ${JSON.stringify(want)}, got ${JSON.stringify(got)}`);
}

/** Expects that the action rejects with a ClozeError, the base class of our errors. */
async function rejects(what: string, action: () => Promise<unknown>): Promise<void> {
  const error = await action().then(
    () => undefined,
    (e: unknown) => e ?? new Error("nothing"),
  );
  if (error === undefined) throw new Error(`${what}: expected an error, got none`);
  if (!ClozeError.isInstance(error)) throw new Error(`${what}: expected a ClozeError, got ${String(error)}`);
}

/** A program: count -> count + by. Its output is the count before the update. */
function counter(): Program {
  const g = new Graph();
  const count = g.input("count", "f32", []);
  const by = g.input("by", "f32", []);
  return program(g, { state: [count], outputs: { before: count.mul(1) }, updates: { count: count.add(by) } });
}

const by = (n: number): HostTensors => ({ by: f32([], n) });

/** A check on one session. The session ends even where the body throws. */
const over = (
  name: string,
  state: HostTensors,
  body: (session: Session, backend: Backend, live: () => number | Promise<number>) => Promise<void>,
  needs: readonly DType[] = ["f32"],
): Check => ({
  name: `session > ${name}`,
  needs,
  run: async (backend, live) => {
    const session = await backend.start(state);
    try {
      await body(session, backend, live);
    } finally {
      await session.dispose();
    }
  },
});

const start: HostTensors = { count: f32([], 10) };

const DTYPES: readonly DType[] = ["f32", "f16", "bf16", "i32", "u32", "bool"];

export const sessionChecks: readonly Check[] = [
  ...DTYPES.map((dtype): Check => {
    const state = { s: drawInput("s", dtype, [3, 5]) };
    return over(
      `state of ${dtype} comes back bit for bit`,
      state,
      async (session) => {
        const read = await session.read();
        equal("bits", Array.from(read["s"]?.data ?? []), Array.from(state.s.data));
      },
      [dtype],
    );
  }),
  over("state persists and is replaced by updates", start, async (session, backend) => {
    const executable = await backend.compile(counter());
    for (const [i, n] of [1, 2, 3].entries())
      equal(`run ${i}`, numbersOf(await session.run(executable, by(n)), "before"), [[10, 11, 13][i]]);
    equal("after", numbersOf(await session.read(), "count"), [16]);
  }),
  over("a program without updates changes nothing", start, async (session, backend) => {
    const g = new Graph();
    const count = g.input("count", "f32", []);
    const executable = await backend.compile(program(g, { state: [count], outputs: { twice: count.mul(2) } }));
    equal("twice", numbersOf(await session.run(executable, {}), "twice"), [20]);
    equal("again", numbersOf(await session.run(executable, {}), "twice"), [20]);
    equal("state", numbersOf(await session.read(), "count"), [10]);
  }),
  over("a program with updates alone", start, async (session, backend) => {
    const g = new Graph();
    const count = g.input("count", "f32", []);
    const executable = await backend.compile(
      program(g, { state: [count], outputs: {}, updates: { count: count.mul(3) } }),
    );
    equal("outputs", await session.run(executable, {}), {});
    equal("state", numbersOf(await session.read(), "count"), [30]);
  }),
  over(
    "a guard that says no keeps all state, and the outputs come back all the same",
    { ...start, other: f32([2], 1, 2) },
    async (session, backend) => {
      const g = new Graph();
      const count = g.input("count", "f32", []);
      const other = g.input("other", "f32", [2]);
      const by = g.input("by", "f32", []);
      const executable = await backend.compile(
        program(g, {
          state: [count, other],
          outputs: { sum: count.add(by) },
          updates: { count: count.add(by), other: other.mul(2) },
          guard: count.add(by).abs().less(Infinity),
        }),
      );
      const run = async (n: number): Promise<number[]> =>
        numbersOf(await session.run(executable, { by: f32([], n) }), "sum");
      equal(
        "a finite sum",
        [await run(1), numbersOf(await session.read(), "count"), numbersOf(await session.read(), "other")],
        [[11], [11], [2, 4]],
      );
      equal(
        "an infinite one",
        [await run(Infinity), numbersOf(await session.read(), "count"), numbersOf(await session.read(), "other")],
        [[Infinity], [11], [2, 4]],
      );
      equal(
        "one that is no number",
        [Number.isNaN((await run(NaN))[0]), numbersOf(await session.read(), "count")],
        [true, [11]],
      );
      equal(
        "a finite one again",
        [await run(2), numbersOf(await session.read(), "count"), numbersOf(await session.read(), "other")],
        [[13], [13], [4, 8]],
      );
    },
  ),
  over("reads some names, in one call", { ...start, other: f32([2], 1, 2) }, async (session) => {
    const some = await session.read(["other"]);
    equal("names", Object.keys(some), ["other"]);
    equal("value", numbersOf(some, "other"), [1, 2]);
    equal("all", Object.keys(await session.read()).sort(), ["count", "other"]);
    equal("none", await session.read([]), {});
  }),
  over("write replaces state", { ...start, other: f32([2], 1, 2) }, async (session, backend) => {
    const executable = await backend.compile(counter());
    await session.run(executable, by(1));
    await session.write({ count: f32([], 100) });
    equal("run", numbersOf(await session.run(executable, by(5)), "before"), [100]);
    const all = await session.read();
    equal("written and updated", numbersOf(all, "count"), [105]);
    equal("not written", numbersOf(all, "other"), [1, 2]);
  }),
  over("state that a program does not name stays", { ...start, other: f32([2], 1, 2) }, async (session, backend) => {
    await session.run(await backend.compile(counter()), by(1));
    equal("other", numbersOf(await session.read(["other"]), "other"), [1, 2]);
  }),
  over("programs of several shapes share state", { w: f32([3], 1, 2, 3) }, async (session, backend) => {
    const bucket = (rows: number): Program => {
      const g = new Graph();
      const w = g.input("w", "f32", [3]);
      const x = g.input("x", "f32", [rows, 3]);
      return program(g, { state: [w], outputs: { y: x.mul(w).sum(-1) }, updates: { w: w.add(x.sum(0)) } });
    };
    const two = await backend.compile(bucket(2));
    const three = await backend.compile(bucket(3));
    equal("two", numbersOf(await session.run(two, { x: f32([2, 3], 1, 0, 0, 0, 1, 0) }), "y"), [1, 2]);
    equal("three", numbersOf(await session.run(three, { x: f32([3, 3], 1, 0, 0, 0, 1, 0, 0, 0, 1) }), "y"), [2, 3, 3]);
    equal("two again", numbersOf(await session.run(two, { x: f32([2, 3], 0, 0, 1, 1, 0, 0) }), "y"), [4, 3]);
    equal("w", numbersOf(await session.read(), "w"), [4, 4, 5]);
  }),
  over("accumulate, then apply", { p: f32([2], 1, 1), sum: f32([2], 0, 0) }, async (session, backend) => {
    const a = new Graph();
    const sum = a.input("sum", "f32", [2]);
    const p = a.input("p", "f32", [2]);
    const x = a.input("x", "f32", [2]);
    const accumulate = await backend.compile(
      program(a, { state: [p, sum], outputs: { loss: x.mul(p).sum() }, updates: { sum: sum.add(x) } }),
    );
    const b = new Graph();
    const p2 = b.input("p", "f32", [2]);
    const sum2 = b.input("sum", "f32", [2]);
    const lr = b.input("lr", "f32", []);
    const apply = await backend.compile(
      program(b, { state: [p2, sum2], outputs: {}, updates: { p: p2.sub(sum2.mul(lr)), sum: b.full([2], 0, "f32") } }),
    );
    for (let round = 0; round < 2; round++) {
      equal("loss", numbersOf(await session.run(accumulate, { x: f32([2], 1, 2) }), "loss"), [round === 0 ? 3 : -3]);
      await session.run(accumulate, { x: f32([2], 3, 2) });
      await session.run(apply, { lr: f32([], 0.5) });
      equal("p", numbersOf(await session.read(), "p"), round === 0 ? [-1, -1] : [-3, -3]);
      equal("sum", numbersOf(await session.read(), "sum"), [0, 0]);
    }
  }),
  over("two sessions are apart", start, async (session, backend) => {
    const executable = await backend.compile(counter());
    const other = await backend.start({ count: f32([], 50) });
    await session.run(executable, by(1));
    await other.run(executable, by(2));
    equal("one", numbersOf(await session.read(), "count"), [11]);
    equal("other", numbersOf(await other.read(), "count"), [52]);
    await other.dispose();
    equal("one, after the other's end", numbersOf(await session.run(executable, by(0)), "before"), [11]);
  }),
  over("runs keep the order in which they were called", start, async (session, backend) => {
    const executable = await backend.compile(counter());
    const all = await Promise.all([1, 2, 3, 4].map((n) => session.run(executable, by(n))));
    equal(
      "before",
      all.map((o) => numbersOf(o, "before")[0]),
      [10, 11, 13, 16],
    );
    equal("after", numbersOf(await session.read(), "count"), [20]);
  }),
  over("a read waits for the runs before it", start, async (session, backend) => {
    const executable = await backend.compile(counter());
    const run = session.run(executable, by(7));
    const read = session.read();
    equal("read", numbersOf(await read, "count"), [17]);
    await run;
  }),
  over("arrays of the caller stay the caller's", { v: f32([2], 1, 2) }, async (session, backend) => {
    const g = new Graph();
    const v = g.input("v", "f32", [2]);
    const x = g.input("x", "f32", [2]);
    const executable = await backend.compile(
      program(g, { state: [v], outputs: { sum: v.add(x), x: x.add(0) }, updates: { v: x } }),
    );
    const feed = f32([2], 5, 6);
    const first = await session.run(executable, { x: feed });
    feed.data.fill(9);
    equal("state", numbersOf(await session.read(), "v"), [5, 6]);
    const second = await session.run(executable, { x: f32([2], 7, 8) });
    equal("first result after the second run", numbersOf(first, "sum"), [6, 8]);
    equal("second result", numbersOf(second, "sum"), [12, 14]);
    const read = await session.read();
    read["v"]?.data.fill(0);
    equal("state after its copy was changed", numbersOf(await session.read(), "v"), [7, 8]);
    equal("feed", Array.from(feed.data), [9, 9]);
  }),
  over("a wrong feed is an error and changes nothing", start, async (session, backend) => {
    const executable = await backend.compile(counter());
    await rejects("missing", () => session.run(executable, {}));
    await rejects("wrong shape", () => session.run(executable, { by: f32([1], 1) }));
    await rejects("wrong dtype", () => session.run(executable, { by: fromNumbers("i32", [], [1]) }));
    await rejects("unknown", () => session.run(executable, { ...by(1), other: f32([], 1) }));
    equal("state", numbersOf(await session.read(), "count"), [10]);
    equal("and the session goes on", numbersOf(await session.run(executable, by(1)), "before"), [10]);
  }),
  over("state a program needs must be there, of its type", { count: f32([1], 1) }, async (session, backend) => {
    const executable = await backend.compile(counter());
    await rejects("wrong shape", () => session.run(executable, by(1)));
    const empty = await backend.start({});
    await rejects("missing", () => empty.run(executable, by(1)));
    await empty.dispose();
  }),
  over("wrong names and types are errors when reading and writing", start, async (session) => {
    await rejects("read", () => session.read(["nothing"]));
    await rejects("write of an unknown name", () => session.write({ nothing: f32([], 1) }));
    await rejects("write of another shape", () => session.write({ count: f32([1], 1) }));
    await rejects("write of another dtype", () => session.write({ count: fromNumbers("i32", [], [1]) }));
    equal("state", numbersOf(await session.read(), "count"), [10]);
  }),
  over("a feed that nothing reads is accepted where it is declared", start, async (session, backend) => {
    const g = new Graph();
    const count = g.input("count", "f32", []);
    const unread = g.input("unread", "f32", [2]);
    const executable = await backend.compile(
      program(g, { state: [count], outputs: { y: count.add(1) }, feeds: [unread] }),
    );
    equal("y", numbersOf(await session.run(executable, { unread: f32([2], 1, 2) }), "y"), [11]);
  }),
  over("after its end everything is an error, ending again is not", start, async (session, backend) => {
    const executable = await backend.compile(counter());
    await session.dispose();
    await session.dispose();
    await rejects("run", () => session.run(executable, by(1)));
    await rejects("read", () => session.read());
    await rejects("write", () => session.write(start));
  }),
  over("a program may be compiled while another runs, and ended", start, async (session, backend) => {
    const first = await backend.compile(counter());
    const second = await backend.compile(counter());
    await session.run(first, by(1));
    await first.dispose();
    equal("second", numbersOf(await session.run(second, by(1)), "before"), [11]);
    await rejects("run of an ended program", () => session.run(first, by(1)));
    await second.dispose();
  }),
  over("the plan says what will happen", start, async (_, backend) => {
    const { plan } = await backend.compile(counter());
    equal("bytes of state", plan.stateBytes, 4);
    equal("JSON", JSON.parse(JSON.stringify(plan)), plan);
    if (plan.steps.length === 0 || plan.steps.some((s) => s.count < 1))
      throw new Error(`expected steps, each at least once, got ${JSON.stringify(plan.steps)}`);
  }),
  over("hundreds of runs, sessions and programs", { w: drawInput("w", "f32", [64, 64]) }, async (session, backend) => {
    const build = (): Program => {
      const g = new Graph();
      const w = g.input("w", "f32", [64, 64]);
      const x = g.input("x", "f32", [8, 64]);
      const y = x.matmul(w).tanh();
      return program(g, { state: [w], outputs: { y: y.sum() }, updates: { w: w.mul(0.5).add(y.sum(0).mul(1e-3)) } });
    };
    const executable = await backend.compile(build());
    const x = drawInput("x", "f32", [8, 64]);
    for (let i = 0; i < 100; i++) await session.run(executable, { x });
    const state = await session.read();
    for (let i = 0; i < 20; i++) {
      const other = await backend.start(state);
      const again = await backend.compile(build());
      const [y1, y2] = [await other.run(again, { x }), await other.run(executable, { x })];
      if (i === 0) equal("finite", [...numbersOf(y1, "y"), ...numbersOf(y2, "y")].every(Number.isFinite), true);
      await other.dispose();
      await again.dispose();
    }
    const same = await backend.start(state);
    expectClose(await same.run(executable, { x }), await session.run(executable, { x }), "exact");
    await same.dispose();
  }),
  {
    ...over(
      "runs, sessions and programs leave no buffers behind",
      { w: drawInput("w", "f32", [64, 64]) },
      async (session, backend, live) => {
        const g = new Graph();
        const w = g.input("w", "f32", [64, 64]);
        const x = g.input("x", "f32", [8, 64]);
        const y = x.matmul(w).tanh();
        const p = program(g, {
          state: [w],
          outputs: { y: y.sum() },
          updates: { w: w.mul(0.5).add(y.sum(0).mul(1e-3)) },
        });
        const executable = await backend.compile(p);
        const feeds = { x: drawInput("x", "f32", [8, 64]) };
        const round = async (): Promise<void> => {
          for (let i = 0; i < 50; i++) await session.run(executable, feeds);
          for (let i = 0; i < 5; i++) {
            const other = await backend.start(await session.read());
            const again = await backend.compile(p);
            await other.run(again, feeds);
            await other.write(await session.read());
            await other.dispose();
            await again.dispose();
          }
        };
        await round();
        const before = await live();
        await round();
        equal("alive after a hundred runs", await live(), before);
      },
    ),
    countsBuffers: true,
  },
];
