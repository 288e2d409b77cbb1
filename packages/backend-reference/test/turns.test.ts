// A long run lets the event loop answer, and what is called meanwhile waits for the run.
import { expect, test } from "vitest";
import { fromNumbers, Graph, program, type Program, type Tensor } from "@cloze/graph";
import { backend } from "../src/index.ts";

/** `w` goes through `layers` products with `x`, `[size, size]` each, and becomes their sum. */
function longStep(layers: number, size: number): Program {
  const g = new Graph();
  const w = g.input("w", "f32", [size, size]);
  const x = g.input("x", "f32", [size, size]);
  let y: Tensor<"f32"> = w;
  for (let i = 0; i < layers; i++) y = y.matmul(x).tanh();
  return program(g, { state: [w], outputs: { y: y.sum() }, updates: { w: w.add(y) } });
}

const size = 96;
const ones = fromNumbers("f32", [size, size], new Array<number>(size * size).fill(1));

test("the event loop has turns while a step runs", async () => {
  const here = backend();
  const session = await here.start({ w: ones });
  const step = await here.compile(longStep(200, size));
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  await session.run(step, { x: ones });
  clearInterval(timer);
  expect(turns).toBeGreaterThan(2);
});

test("calls during a run see its updates, in the order of the calls", async () => {
  const here = backend();
  const session = await here.start({ w: ones });
  const step = await here.compile(longStep(100, size));
  const x = fromNumbers("f32", [size, size], new Array<number>(size * size).fill(1));
  const first = session.run(step, { x });
  x.data.fill(-1);
  const second = session.run(step, { x });
  const read = session.read();
  const written = session.write({ w: ones });
  const last = session.read();
  const disposed = session.dispose();
  const sums = (await Promise.all([first, second])).map((out) => out["y"]?.data[0]);
  expect(sums).toEqual([size * size, size * size]); // 100 times the sign of -1
  expect((await read)["w"]?.data[0]).toBe(3);
  await written;
  expect((await last)["w"]?.data[0]).toBe(1);
  await disposed;
  await expect(session.read()).rejects.toThrow("the session is disposed");
});
