// State across runs, and known traps of ONNX Runtime. Each trap has one test.
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { afterAll, expect, test } from "vitest";
import {
  adamwStep,
  Graph,
  grad,
  hostTensor,
  interpret,
  program,
  type HostTensor,
  type Program,
  type Tensor,
} from "@cloze/graph";
import { backend, RunError } from "../src/index.ts";
import { sessionOptions } from "../src/engine.ts";

const cpu = backend({ threads: 2 });
afterAll(() => cpu.dispose());

const f32 = (shape: readonly number[], values: readonly number[]): HostTensor => ({
  dtype: "f32",
  shape,
  data: Float32Array.from(values),
});
const filled = (shape: readonly number[], f: (i: number) => number): HostTensor =>
  f32(
    shape,
    Array.from({ length: shape.reduce((n, d) => n * d, 1) }, (_, i) => f(i)),
  );

/** One AdamW step of least squares, |x w - y|^2. */
function leastSquares(rows: number, columns: number): Program {
  const g = new Graph();
  const w = g.input("w", "f32", [columns, 1]);
  const m = g.input("m", "f32", [columns, 1]);
  const v = g.input("v", "f32", [columns, 1]);
  const residue = g
    .input("x", "f32", [rows, columns])
    .matmul(w)
    .sub(g.input("y", "f32", [rows, 1]));
  const loss = residue.square().sum();
  const scalars = {
    lr: g.const(0.01, "f32"),
    step: g.const(0.01, "f32"),
    epsHat: g.const(1e-8, "f32"),
    gradScale: g.const(1, "f32"),
  };
  const next = adamwStep(w, grad(loss, [w])[0] as Tensor<"f32">, m, v, scalars, {
    beta1: 0.9,
    beta2: 0.99,
    decay: 0.1,
  });
  return program(g, { state: [w, m, v], outputs: { loss }, updates: { w: next.p, m: next.m, v: next.v } });
}

const start = { w: filled([4, 1], (i) => i / 4), m: hostTensor("f32", [4, 1]), v: hostTensor("f32", [4, 1]) };
const feeds = { x: filled([8, 4], (i) => Math.sin(i * 1.7)), y: filled([8, 1], (i) => Math.cos(i)) };

test("200 updates of state equal the interpreter's: input and output never share a buffer", async () => {
  const p = leastSquares(8, 4);
  const executable = await cpu.compile(p);
  const session = await cpu.start(start);
  let state: Record<string, ArrayLike<number>> = { w: start.w.data, m: start.m.data, v: start.v.data };
  const env = { x: feeds.x.data, y: feeds.y.data };
  for (let i = 0; i < 200; i++) {
    const [loss, w, m, v] = interpret(
      [p.outputs.loss as Tensor, ...["w", "m", "v"].map((n) => p.updates[n] as Tensor)],
      { ...env, ...state },
    );
    const got = await session.run(executable, feeds);
    expect(got.loss?.data[0]).toBeCloseTo(loss?.data[0] as number, 3);
    state = { w: w?.data as ArrayLike<number>, m: m?.data as ArrayLike<number>, v: v?.data as ArrayLike<number> };
  }
  const read = await session.read();
  expect(Object.keys(read)).toEqual(["w", "m", "v"]);
  for (const name of ["w", "m", "v"])
    (read[name] as HostTensor).data.forEach((x, i) => expect(x).toBeCloseTo(state[name]?.[i] as number, 4));
  await session.dispose();
});

test("an update that is the other state, or itself, is a copy", async () => {
  const g = new Graph();
  const a = g.input("a", "f32", [3]);
  const b = g.input("b", "f32", [3]);
  const c = g.input("c", "f32", [3]);
  const swap = program(g, { state: [a, b, c], outputs: { sum: a.add(b).sum() }, updates: { a: b, b: a, c } });
  const executable = await cpu.compile(swap);
  const session = await cpu.start({ a: f32([3], [1, 2, 3]), b: f32([3], [4, 5, 6]), c: f32([3], [7, 8, 9]) });
  for (let i = 0; i < 3; i++) expect((await session.run(executable, {})).sum?.data[0]).toBe(21);
  const { a: a3, b: b3, c: c3 } = await session.read();
  expect([a3?.data, b3?.data, c3?.data].map((d) => [...(d ?? [])])).toEqual([
    [4, 5, 6],
    [1, 2, 3],
    [7, 8, 9],
  ]);
  await session.dispose();
});

test("several programs and shapes run over one state; sessions are apart; equal programs share one executable", async () => {
  const train = await cpu.compile(leastSquares(8, 4));
  const again = await cpu.compile(leastSquares(8, 4));
  const small = await cpu.compile(leastSquares(2, 4));
  const one = await cpu.start(start);
  const two = await cpu.start(start);
  const first = await one.run(train, feeds);
  expect((await two.run(again, feeds)).loss).toEqual(first.loss);
  await again.dispose();
  await one.run(small, { x: filled([2, 4], (i) => i), y: filled([2, 1], (i) => i) });
  await one.run(train, feeds);
  expect((await two.run(train, feeds)).loss?.data[0]).toBeLessThan(first.loss?.data[0] as number);
  expect(await one.read(["w"])).not.toEqual(await two.read(["w"]));
  await one.write(start);
  expect((await one.run(train, feeds)).loss).toEqual(first.loss);
  await expect(one.run(again, feeds)).rejects.toThrow(/expected an executable that this backend compiled/);
});

test("runs are done in the order called", async () => {
  const executable = await cpu.compile(leastSquares(8, 4));
  const a = await cpu.start(start);
  const b = await cpu.start(start);
  const together = await Promise.all(Array.from({ length: 5 }, () => a.run(executable, feeds)));
  for (const { loss } of together) expect((await b.run(executable, feeds)).loss).toEqual(loss);
});

test("what does not fit is refused with both types", async () => {
  const executable = await cpu.compile(leastSquares(8, 4));
  const session = await cpu.start(start);
  await expect(session.run(executable, { x: feeds.x })).rejects.toThrow('feed "y": expected f32[8, 1], got nothing');
  await expect(session.write({ w: f32([2], [1, 2]) })).rejects.toThrow('state "w": expected f32[4, 1], got f32[2]');
  await expect(session.write({ nobody: f32([2], [1, 2]) })).rejects.toThrow(
    'state "nobody": the session has no such state',
  );
  await expect(session.read(["nobody"])).rejects.toThrow("It has: w, m, v.");
  const { w, m } = start;
  await expect((await cpu.start({ w, m })).run(executable, feeds)).rejects.toThrow(
    'state "v": expected f32[4, 1], got nothing',
  );
});

test("scatterAdd of many equal indices loses nothing on two threads", async () => {
  const g = new Graph();
  const rows = 4096;
  const width = 64;
  const sums = g.input("updates", "f32", [rows, width]).scatterAdd(g.input("ids", "i32", [rows]), 3);
  const executable = await cpu.compile(program(g, { state: [], outputs: { sums } }));
  const session = await cpu.start({});
  expect(executable.plan.steps.map((s) => s.kernel)).not.toContain("ScatterND");
  const ids: HostTensor = { dtype: "i32", shape: [rows], data: Int32Array.from({ length: rows }, (_, i) => i % 3) };
  for (let i = 0; i < 50; i++) {
    const { sums: got } = await session.run(executable, { updates: filled([rows, width], () => 1), ids });
    expect(new Set(got?.data.subarray(0, width))).toEqual(new Set([Math.ceil(rows / 3)]));
  }
});

/** A long run: 40 products of 512 x 512. */
function heavy(g: Graph): Program {
  let x: Tensor<"f32"> = g.input("x", "f32", [512, 512]);
  const w = g.input("w", "f32", [512, 512]);
  for (let i = 0; i < 40; i++) x = x.matmul(w).mul(1 / 512);
  return program(g, { state: [w], outputs: { sum: x.sum() } });
}

test("the event loop goes on during a run", async () => {
  const executable = await cpu.compile(heavy(new Graph()));
  const session = await cpu.start({ w: filled([512, 512], () => 1) });
  const x = filled([512, 512], () => 1);
  await session.run(executable, { x });
  let ticks = 0;
  let longest = 0;
  let last = performance.now();
  const timer = setInterval(() => {
    longest = Math.max(longest, performance.now() - last);
    last = performance.now();
    ticks++;
  }, 1);
  const begin = performance.now();
  for (let i = 0; i < 5; i++) await session.run(executable, { x });
  const took = performance.now() - begin;
  clearInterval(timer);
  expect(took).toBeGreaterThan(50);
  expect(ticks).toBeGreaterThan(took / 20);
  expect(longest).toBeLessThan(took / 2);
});

test("threads do not spin", () => {
  const { extra, intraOpNumThreads } = sessionOptions({ threads: 3, profile: undefined });
  expect(intraOpNumThreads).toBe(3);
  expect(extra).toMatchObject({ session: { "intra_op.allow_spinning": "0" } });
});

test("numbers too small for f32's normal range are zero, on every thread", async () => {
  const g = new Graph();
  const x = g.input("x", "f32", [1 << 16]);
  const executable = await cpu.compile(program(g, { state: [], outputs: { y: x.mul(1e-10) } }));
  const session = await cpu.start({});
  const { y } = await session.run(executable, { x: filled([1 << 16], () => 1e-30) });
  expect(new Set(y?.data)).toEqual(new Set([0]));
});

test("200 runs leave no memory behind", async () => {
  const g = new Graph();
  const w = g.input("w", "f32", [512, 512]);
  const x = g.input("x", "f32", [512, 512]);
  const executable = await cpu.compile(
    program(g, { state: [w], outputs: { y: x.matmul(w) }, updates: { w: w.mul(0.99).add(x) } }),
  );
  const session = await cpu.start({ w: filled([512, 512], () => 1) });
  const given = filled([512, 512], (i) => i % 7);
  const runs = async (count: number): Promise<number> => {
    for (let i = 0; i < count; i++) await session.run(executable, { x: given });
    return process.memoryUsage.rss();
  };
  // Each run moves 2 MB to the worker and back: a leak would take 400 MB in all.
  const before = await runs(50);
  const after = await runs(200);
  expect((after - before) / 2 ** 20).toBeLessThan(120);
});

test("a failure in a run names the layer and the operator, and the session goes on", async () => {
  const g = new Graph();
  const table = g.input("table", "f32", [4, 2]);
  const ids = g.input("ids", "i32", [2]);
  const rows = g.within("encoder.embeddings", () => table.gather(ids));
  const executable = await cpu.compile(program(g, { state: [table], outputs: { rows } }));
  const session = await cpu.start({ table: filled([4, 2], (i) => i) });
  const at = (...values: number[]): { ids: HostTensor } => ({
    ids: { dtype: "i32", shape: [2], data: Int32Array.from(values) },
  });
  const error = await session.run(executable, at(1, 9)).then(
    () => undefined,
    (e: unknown) => e,
  );
  expect(RunError.isInstance(error)).toBe(true);
  expect(error).toMatchObject({ path: "encoder.embeddings", operator: "Gather" });
  expect(String(error)).toContain("encoder.embeddings: Gather");
  expect([...((await session.run(executable, at(1, 3))).rows?.data ?? [])]).toEqual([2, 3, 6, 7]);
});

test("an allocation that fails is an error that says so", async () => {
  const g = new Graph();
  const x = g.input("x", "f32", [1 << 20]);
  const huge = x.reshape([1 << 20, 1]).matmul(x.reshape([1, 1 << 20]));
  const executable = await cpu.compile(program(g, { state: [], outputs: { top: huge.reduceMax() } }));
  const session = await cpu.start({});
  await expect(session.run(executable, { x: filled([1 << 20], () => 1) })).rejects.toThrow(/not enough memory/);
});

test("a disposed backend refuses, and what was pending is rejected", async () => {
  const other = backend({ threads: 1 });
  const executable = await other.compile(heavy(new Graph()));
  const session = await other.start({ w: filled([512, 512], () => 1) });
  const pending = session.run(executable, { x: filled([512, 512], () => 1) });
  const rejected = expect(pending).rejects.toThrow(/was disposed/);
  await other.dispose();
  await rejected;
  await expect(session.read()).rejects.toThrow(/was disposed/);
});

test("a process that disposed its backend exits by itself; so does one that forgot to, and one that exits during a run", async () => {
  const here = new URL("../src/index.ts", import.meta.url).href;
  const graph = import.meta.resolve("@cloze/graph");
  const during =
    "for (let i = 0; i < 3; i++) session.run(big, { x: { dtype: 'f32', shape: [2048, 2048], data: new " +
    "Float32Array(2 ** 22) } }); setTimeout(() => process.exit(), 300);";
  for (const end of ["await cpu.dispose();", "", during]) {
    const script = `
      const { backend } = await import(${JSON.stringify(here)});
      const { Graph, program } = await import(${JSON.stringify(graph)});
      const g = new Graph();
      const cpu = backend({ threads: 1 });
      const x = g.input("small", "f32", [2]);
      const a = g.input("x", "f32", [2048, 2048]);
      const product = Array.from({ length: 9 }).reduce((y) => y.matmul(y), a).sum();
      const big = await cpu.compile(program(g, { state: [], outputs: { y: product } }));
      const session = await cpu.start({});
      const doubled = await cpu.compile(program(g, { state: [], outputs: { y: x.mul(2) } }));
      const out = await session.run(doubled, { small: { dtype: "f32", shape: [2], data: Float32Array.of(1, 2) } });
      console.log(out.y.data.join()); ${end}`;
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ["--import", "tsx", "--conditions=@cloze/source", "--input-type=module", "-e", script],
      { timeout: 30_000 },
    );
    expect(stdout.trim()).toBe("2,4");
  }
});
