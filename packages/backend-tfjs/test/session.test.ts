// Sessions: state across runs, and mistakes of callers.
import { expect } from "vitest";
import { Graph, program, type HostTensor, type Program } from "@cloze/graph";
import { backend as open, RunError } from "../src/index.ts";
import { onEach } from "./here.ts";
import { tensorCount } from "./tensor-count.ts";

const f32 = (values: readonly number[], shape: readonly number[] = [values.length]): HostTensor => ({
  dtype: "f32",
  shape,
  data: Float32Array.from(values),
});

onEach("an update that is the other state, itself, a constant, or twice the same value", async (backend) => {
  const g = new Graph();
  const [a, b, c, d, e] = ["a", "b", "c", "d", "e"].map((name) => g.input(name, "f32", [2])) as [
    ReturnType<typeof g.input>,
    ReturnType<typeof g.input>,
    ReturnType<typeof g.input>,
    ReturnType<typeof g.input>,
    ReturnType<typeof g.input>,
  ];
  const sum = a.add(b);
  const p = program(g, {
    state: [a, b, c, d, e],
    outputs: { sum },
    updates: { a: b, b: a, c: g.full([2], 7, "f32"), d: sum, e: sum },
  });
  const executable = await backend.compile(p);
  const session = await backend.start({
    a: f32([1, 2]),
    b: f32([3, 4]),
    c: f32([0, 0]),
    d: f32([0, 0]),
    e: f32([0, 0]),
  });
  for (let i = 0; i < 3; i++) expect([...((await session.run(executable, {}))["sum"]?.data ?? [])]).toEqual([4, 6]);
  const state = await session.read();
  expect(Object.fromEntries(Object.entries(state).map(([name, { data }]) => [name, [...data]]))).toEqual({
    a: [3, 4],
    b: [1, 2],
    c: [7, 7],
    d: [4, 6],
    e: [4, 6],
  });
  await session.dispose();
});

const guarded = (): Program => {
  const g = new Graph();
  const w = g.input("w", "f32", [2]);
  const x = g.input("x", "f32", [2]);
  return program(g, { state: [w], outputs: { norm: x.sum() }, updates: { w: w.add(x) }, guard: x.sum().less(10) });
};

onEach("a guard that is false keeps all state, and leaves no tensor", async (backend) => {
  const executable = await backend.compile(guarded());
  const session = await backend.start({ w: f32([1, 1]) });
  await session.run(executable, { x: f32([1, 2]) });
  const count = await tensorCount();
  expect((await session.run(executable, { x: f32([5, 6]) }))["norm"]?.data[0]).toBe(11);
  expect([...((await session.read())["w"]?.data ?? [])]).toEqual([2, 3]);
  await session.run(executable, { x: f32([1, 1]) });
  expect([...((await session.read())["w"]?.data ?? [])]).toEqual([3, 4]);
  expect(await tensorCount()).toBe(count);
  await session.dispose();
});

onEach("arrays that the caller changes later change nothing; runs are in the order called", async (backend) => {
  const executable = await backend.compile(guarded());
  const w = f32([1, 1]);
  const session = await backend.start({ w });
  const x = f32([1, 1]);
  w.data.fill(100);
  const runs = [session.run(executable, { x }), session.run(executable, { x: f32([2, 2]) })];
  x.data.fill(3);
  await Promise.all(runs);
  expect([...((await session.read(["w"]))["w"]?.data ?? [])]).toEqual([4, 4]);
  await session.write({ w: f32([8, 9]) });
  expect([...((await session.read())["w"]?.data ?? [])]).toEqual([8, 9]);
  await session.dispose();
});

onEach("equal programs share their constants; mistakes are told", async (backend, kind) => {
  const one = await backend.compile(guarded());
  const count = await tensorCount();
  const two = await backend.compile(guarded());
  expect(await tensorCount()).toBe(count);
  await one.dispose();
  const session = await backend.start({ w: f32([1, 1]) });
  await session.run(two, { x: f32([1, 1]) });
  await expect(session.run(one, { x: f32([1, 1]) })).rejects.toThrow(
    `backend tfjs:${kind}: expected an executable that this backend compiled and that is not disposed`,
  );
  await expect(session.run(two, {})).rejects.toThrow('feed "x": expected f32[2], got nothing');
  await expect(session.write({ w: f32([1, 2, 3]) })).rejects.toThrow(
    'state "w": expected f32[2], got f32[3] with 3 elements',
  );
  await expect(session.read(["v"])).rejects.toThrow('state "v": the session has no such state. It has: w.');
  await expect(backend.compile(guarded(), { compute: "f16" })).rejects.toThrow("TensorFlow.js computes in f32 only");
  await session.dispose();
  await expect(session.run(two, { x: f32([1, 1]) })).rejects.toThrow("the session is disposed");
});

onEach(
  "a kernel that fails is named with its layer, and leaves no tensor",
  async (backend) => {
    const g = new Graph();
    const table = g.input("table", "f32", [2, 3]);
    const index = g.input("index", "i32", [1]);
    const picked = g.within("embeddings", () => table.gather(index));
    const p = program(g, { state: [table], outputs: { picked }, updates: {} });
    const executable = await backend.compile(p);
    const session = await backend.start({ table: f32([1, 2, 3, 4, 5, 6], [2, 3]) });
    const count = await tensorCount();
    const run = session.run(executable, { index: { dtype: "i32", shape: [1], data: Int32Array.of(9) } });
    await expect(run).rejects.toThrow(/^embeddings: backend tfjs:\w+ could not run GatherV2: /);
    expect(RunError.isInstance(await run.catch((error: unknown) => error))).toBe(true);
    expect(await tensorCount()).toBe(count);
    await session.dispose();
  },
  ["cpu", "node"],
);

onEach(
  "a TensorFlow.js that is given is used as it is set",
  async () => {
    const { default: tf } = (await import("@tensorflow/tfjs")) as unknown as {
      readonly default: NonNullable<Parameters<typeof open>[0]>["tf"] & object;
    };
    await tf.setBackend("cpu");
    const given = await open({ tf });
    const executable = await given.compile(guarded());
    const session = await given.start({ w: f32([1, 1]) });
    await tf.setBackend("wasm");
    expect(given.name).toBe("tfjs:cpu");
    expect((await session.run(executable, { x: f32([1, 2]) }))["norm"]?.data[0]).toBe(3);
    await given.dispose();
  },
  ["wasm"],
);
