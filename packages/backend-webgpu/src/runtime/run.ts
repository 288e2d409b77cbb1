/**
 * The execution of one run: it uploads the feeds, encodes all kernels in one pass, and copies the outputs to a readback
 * buffer. A run is one submit, or a few where it takes long.
 */
import type { HostTensors } from "@cloze/graph";
import type { BoundState, DeviceProgram } from "./device-program.ts";
import { KernelError } from "./errors.ts";
import { decode } from "./host-data.ts";
import type { Dispatch, Linked } from "./linked.ts";
import type { Resolved } from "./resolve.ts";
import type { Runtime } from "./runtime.ts";
import { cutsOf } from "./slices.ts";

/** Only runs longer than this correct the pace. In shorter runs the time to reach the device dominates. */
const TELLING_MS = 20;

export function runProgram(
  runtime: Runtime,
  program: DeviceProgram,
  state: BoundState,
  packed: readonly Uint8Array<ArrayBuffer>[],
): Promise<HostTensors> {
  const { device, health, readback, lane } = runtime;
  const { outputs, outputBytes } = program.layout;
  return lane.fly(async () => {
    health.check();
    const linked = await program.link(state);
    const back = outputBytes === 0 ? undefined : await readback.take(outputBytes);
    health.check();
    const alone = lane.idle;
    const proven = linked.proven;
    const began = performance.now();
    const refused = inScope(runtime, proven, () => {
      program.upload(packed);
      submit(runtime, linked, (encoder) => {
        if (back !== undefined)
          linked.outputs.forEach(({ buffer, offset }, i) =>
            copy(encoder, buffer, offset, back, outputs[i] as (typeof outputs)[number]),
          );
      });
    });
    const done =
      back === undefined
        ? health.guard(device.queue.onSubmittedWorkDone()).then(() => new ArrayBuffer(0))
        : readback.bytes(back, outputBytes);
    done.catch(() => undefined); // a refusal is reported first and says more
    return { result: finish() };

    async function finish(): Promise<HostTensors> {
      const error = await refused;
      if (error !== null) throw refusal(linked, error.message);
      const bytes = await done;
      const took = performance.now() - began;
      const guess = linked.guessesMs.reduce((sum, ms) => sum + ms, 0);
      if (alone && proven && took > TELLING_MS && guess > 0) runtime.pace = took / guess;
      linked.proven = true;
      await runtime.timing?.collect(linked.dispatches.map(({ kernel }) => kernel));
      return Object.fromEntries(
        outputs.map(({ name, type, offset, bytes: length }) => [
          name,
          decode(type, bytes.slice(offset, offset + length)),
        ]),
      );
    }
  });
}

/** Does the work and resolves to the device's error. A proven program has no errors, so it needs no error scope. */
function inScope({ device, health }: Runtime, proven: boolean, work: () => void): Promise<GPUError | null> {
  if (proven) {
    work();
    return Promise.resolve(null);
  }
  device.pushErrorScope("validation");
  try {
    work();
  } catch (error) {
    void device.popErrorScope().catch(() => null);
    throw error;
  }
  return health.guard(device.popErrorScope());
}

function copy(
  encoder: GPUCommandEncoder,
  from: GPUBuffer,
  offset: number,
  to: GPUBuffer,
  output: { readonly offset: number; readonly bytes: number },
): void {
  if (output.bytes > 0) encoder.copyBufferToBuffer(from, offset, to, output.offset, output.bytes);
}

/** Submits all dispatches, in several submits where one would take too long. `last` encodes into the last submit. */
function submit(
  { device, pace, sliceMs, timing }: Runtime,
  { dispatches, guessesMs }: Linked,
  last: (encoder: GPUCommandEncoder) => void,
): void {
  const cuts = [
    0,
    ...cutsOf(
      guessesMs.map((ms) => ms * pace),
      sliceMs,
    ),
    dispatches.length,
  ];
  for (let slice = 1; slice < cuts.length; slice++) {
    const encoder = device.createCommandEncoder();
    const from = cuts[slice - 1] as number;
    const part = dispatches.slice(from, cuts[slice]);
    if (timing === undefined) encode(encoder.beginComputePass(), part);
    else part.forEach((dispatch, i) => encode(encoder.beginComputePass(timing.pass(from + i)), [dispatch]));
    if (slice === cuts.length - 1) last(encoder);
    device.queue.submit([encoder.finish()]);
  }
}

function encode(pass: GPUComputePassEncoder, dispatches: readonly Dispatch[]): void {
  let current: GPUComputePipeline | undefined;
  for (const { kernel, pipeline, group } of dispatches) {
    if (pipeline !== current) pass.setPipeline(pipeline);
    current = pipeline;
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(kernel.grid[0], kernel.grid[1], kernel.grid[2]);
  }
  pass.end();
}

/**
 * The error of a refused dispatch. The message contains the label of a pipeline or bind group, which names the kernel.
 */
function refusal({ dispatches }: Linked, message: string): KernelError {
  const named = dispatches.map(({ kernel }) => kernel).filter(({ name }) => message.includes(`"${name}`));
  const kernel = named.find(({ path }) => path !== "" && message.includes(path)) ?? named[0];
  const at: Pick<Resolved, "name" | "path"> = kernel ?? { name: "unknown", path: "" };
  return new KernelError(at, `the device refuses its dispatch: ${message.trim().split("\n")[0]}.`);
}
