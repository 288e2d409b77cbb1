// Training on each TensorFlow.js, compared with the reference backend. No tensor may be left at the end.
import { expect } from "vitest";
import { trainingStep } from "@cloze/backend-conformance";
import { backend as reference } from "@cloze/backend-reference";
import type { Backend } from "@cloze/backend";
import { onEach } from "./here.ts";
import { tensorCount } from "./tensor-count.ts";

async function losses(backend: Backend, steps: number): Promise<number[]> {
  const { program, state, feeds } = trainingStep();
  const executable = await backend.compile(program);
  const session = await backend.start(state);
  const out: number[] = [];
  for (let t = 1; t <= steps; t++) out.push(Number((await session.run(executable, feeds(t)))["loss"]?.data[0]));
  await session.dispose();
  await executable.dispose();
  return out;
}

onEach("30 steps give the reference backend's losses within 1e-5", async (backend) => {
  const want = await losses(reference(), 30);
  const got = await losses(backend, 30);
  for (const [i, loss] of got.entries())
    expect(Math.abs(loss - (want[i] as number)), `step ${i + 1}`).toBeLessThan(1e-5);
  expect(got[29]).toBeLessThan(got[0] as number);
});

onEach("200 steps add no tensor, and what is disposed is gone", async (backend) => {
  const before = await tensorCount();
  const { program, state, feeds } = trainingStep();
  const executable = await backend.compile(program);
  const session = await backend.start(state);
  await session.run(executable, feeds(1));
  const during = await tensorCount();
  for (let t = 2; t <= 200; t++) await session.run(executable, feeds(t));
  expect(await tensorCount()).toBe(during);
  await session.dispose();
  await executable.dispose();
  expect(await tensorCount()).toBe(before);
});
