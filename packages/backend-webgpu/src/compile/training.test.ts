// Training on a device, compared with the reference backend: many steps, in f32 and f16, also with the kernels of GPUs,
// and without growth of memory.
import { describe, expect } from "vitest";
import { backend as reference } from "@cloze/backend-reference";
import { allChecks, trainingStep } from "@cloze/backend-conformance";
import type { Backend } from "@cloze/backend";
import type { HostTensors } from "@cloze/graph";
import { onDevice } from "../../test/adapter.ts";
import type { Family } from "../profile.ts";
import { createBackend, type WebGpuBackend } from "../runtime/backend.ts";
import type { OpenDevice } from "../runtime/device.ts";
import { compileProgram, nativeComposites } from "./compile.ts";

const backendOn = (opened: OpenDevice, family: Family = opened.profile.family): WebGpuBackend =>
  createBackend(
    { ...opened, profile: { ...opened.profile, family } },
    {
      composites: nativeComposites,
      compile: (p, { profile, compute }) => compileProgram(p, { profile, compute: compute === "f16" ? "f16" : "f32" }),
    },
  );

async function losses(
  backend: Backend,
  steps: number,
  compute: "f32" | "f16" = "f32",
): Promise<{ readonly losses: readonly number[]; readonly state: HostTensors }> {
  const { program, state, feeds } = trainingStep();
  const executable = await backend.compile(program, { compute });
  const session = await backend.start(state);
  const out: number[] = [];
  for (let t = 1; t <= steps; t++) out.push(Number((await session.run(executable, feeds(t)))["loss"]?.data[0]));
  const last = await session.read();
  await session.dispose();
  await executable.dispose();
  return { losses: out, state: last };
}

const MINUTES = 300_000;

const farthest = (a: readonly number[], b: readonly number[]): number =>
  Math.max(...a.map((x, i) => Math.abs(x - (b[i] as number))));

describe("a two-layer encoder", () => {
  onDevice("30 steps give the reference backend's losses within 1e-5", async (opened) => {
    const want = await losses(reference(), 30);
    const got = await losses(backendOn(opened), 30);
    expect(farthest(got.losses, want.losses)).toBeLessThan(1e-5);
    expect(got.losses[29]).toBeLessThan(got.losses[0] as number);
  });

  onDevice(
    "5 steps with the kernels that GPUs get do too",
    async (opened) => {
      const want = await losses(reference(), 5);
      expect(farthest((await losses(backendOn(opened, "mobile"), 5)).losses, want.losses)).toBeLessThan(1e-5);
    },
    { f16: false },
    MINUTES,
  );

  // Contractions read values rounded to 11 bits, an error of 5e-4 each. Over 30 steps of AdamW the errors add up.
  onDevice(
    "30 steps with contractions in f16 stay within 0.02 of f32",
    async (opened) => {
      if (!opened.profile.f16) return;
      const f32 = await losses(backendOn(opened), 30);
      const f16 = await losses(backendOn(opened), 30, "f16");
      expect(farthest(f16.losses, f32.losses)).toBeLessThan(0.02);
      expect(farthest(f16.losses, f32.losses)).toBeGreaterThan(0);
    },
    {},
    MINUTES,
  );

  onDevice("200 steps add no buffer and no byte", async (opened) => {
    const backend = backendOn(opened);
    const { program, state, feeds } = trainingStep();
    const executable = await backend.compile(program);
    const session = await backend.start(state);
    const run = async (from: number, to: number): Promise<void> => {
      for (let t = from; t <= to; t++) await session.run(executable, feeds(t));
    };
    await run(1, 5);
    const before = backend.memory();
    await run(6, 205);
    expect(backend.memory()).toEqual(before);
  });
});

// The conformance suite uses the kernels of this machine's adapter. These tests use the kernels of GPUs: workgroup
// memory, trees, and tiles (only the smallest, because software adapters take long to compile the others). The tests of
// flash attention cover both.
describe("kernels for GPUs, on whatever adapter there is", () => {
  const groups = [
    "matmul",
    "reduceSum",
    "reduceMax",
    "argMax",
    "softmax",
    "layerNorm",
    "crossEntropy",
    "gather",
    "scatterAdd",
    "rope",
    "adamw",
    "guard",
  ];
  for (const group of groups) {
    onDevice(
      group,
      async (opened) => {
        const backend = backendOn(opened, "mobile");
        const problems: string[] = [];
        for (const check of allChecks()) {
          if (!check.name.startsWith(`${group} >`) || check.needs.some((d) => !backend.capabilities.dtypes.includes(d)))
            continue;
          try {
            await check.run(backend, () => backend.memory().buffers);
          } catch (error) {
            problems.push(`${check.name}: ${(error as Error).message}`);
          }
        }
        expect(problems).toEqual([]);
      },
      { f16: false },
      MINUTES,
    );
  }
});
