// Failures of a device. Each is an error that names the place and the remedy, and no call hangs.
import { describe, expect, test } from "vitest";
import { UnsupportedError } from "@cloze/errors";
import { Graph, program } from "@cloze/graph";
import { onDevice } from "../../test/adapter.ts";
import {
  chain,
  compilerOf,
  counter,
  f32,
  kernel,
  numbersOf,
  reads,
  scalar,
  storage,
  writes,
  zeros,
  type Handmade,
} from "../../test/handmade.ts";
import { baseProfile } from "../profile.ts";
import { createBackend } from "./backend.ts";
import { DeviceLostError, KernelError } from "./errors.ts";
import { layoutOf } from "./layout.ts";
import { resolve } from "./resolve.ts";
import { layState } from "./state.ts";

const failure = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

/** The counter program with a faulty kernel. */
function spoilt(change: (wgsl: string) => string): Handmade {
  const { program: wanted, compiled } = counter();
  const [copy, add] = compiled.kernels;
  if (copy === undefined || add === undefined || !("wgsl" in add)) throw new Error("expected two kernels with text");
  return {
    program: wanted,
    compiled: { ...compiled, kernels: [copy, { ...add, path: "model.layers.3", wgsl: change(add.wgsl) }] },
  };
}

describe("a device that is lost", () => {
  onDevice("rejects what is pending and what comes later; ends without more errors", async (opened) => {
    const made = chain(4, 1000);
    const backend = createBackend(opened, compilerOf(made));
    const session = await backend.start({ w: f32(1) });
    const executable = await backend.compile(made.program);
    const feeds = { x: f32(...Array.from({ length: 1000 }, () => 1)) };
    await session.run(executable, feeds);
    const pending = [
      session.run(executable, feeds),
      session.run(executable, feeds),
      session.run(executable, feeds),
      session.read(),
    ].map(failure);
    opened.device.destroy();
    for (const error of await Promise.all(pending))
      expect(error === undefined || DeviceLostError.isInstance(error)).toBe(true);
    for (const later of [
      () => session.run(executable, feeds),
      () => session.read(),
      () => session.write({ w: f32(2) }),
      () => backend.compile(made.program),
      () => backend.start({}),
    ]) {
      const error = await failure(later());
      expect(error).toSatisfy(DeviceLostError.isInstance);
      expect(String(error)).toMatch(
        /the device was lost \(.*\)\. What was on it is gone: open the backend anew and go on from the last checkpoint/,
      );
    }
    await executable.dispose();
    await session.dispose();
    await backend.dispose();
    await backend.dispose();
  });

  onDevice("while a program is compiled, too", async (opened) => {
    const made = chain(4, 1000);
    const backend = createBackend(opened, compilerOf(made));
    const pending = failure(backend.compile(made.program));
    opened.device.destroy();
    expect(await pending).toSatisfy((error: unknown) => error === undefined || DeviceLostError.isInstance(error));
    await backend.dispose();
  });
});

onDevice("a backend that is disposed rejects what is pending and what comes later", async (opened) => {
  const made = counter();
  const backend = createBackend(opened, compilerOf(made));
  const session = await backend.start({ count: scalar(1) });
  const executable = await backend.compile(made.program);
  const pending = failure(session.run(executable, { by: scalar(1) }));
  await backend.dispose();
  expect(String(await pending)).toContain("it was disposed. Open another.");
  expect(String(await failure(session.read()))).toContain("it was disposed");
  expect(String(await failure(backend.start({})))).toContain("it was disposed");
  await session.dispose();
  expect(backend.memory()).toEqual({ buffers: 0, bytes: 0 });
});

describe("a kernel", () => {
  onDevice("whose text does not compile is named with its layer and line; the backend goes on", async (opened) => {
    const broken = spoilt((wgsl) => wgsl.replace("b0[i] = b0[i] + b1[i];", "b0[i] = nothing(b1[i]);"));
    const fine = counter();
    const backend = createBackend(opened, compilerOf(broken, fine));
    const error = await failure(backend.compile(broken.program));
    expect(error).toMatchObject({ code: "KernelError", kernel: "add", path: "model.layers.3" });
    expect(String(error)).toMatch(
      /model\.layers\.3: kernel "add": its text does not compile: line \d+: .*nothing.*: `b0\[i\] = nothing\(b1\[i\]\);`/,
    );
    expect(backend.memory().buffers).toBe(0);
    await expect(backend.compile(broken.program)).rejects.toSatisfy(KernelError.isInstance);
    expect(
      numbersOf(
        await (await backend.start({ count: scalar(3) })).run(await backend.compile(fine.program), { by: scalar(1) }),
        "before",
      ),
    ).toEqual([3]);
  });

  onDevice("with another binding than it declares is refused when it is compiled", async (opened) => {
    const broken = spoilt((wgsl) =>
      wgsl.replace("var<storage, read> b1: array<f32>", "var<storage, read_write> b1: array<f32>"),
    );
    const backend = createBackend(opened, compilerOf(broken));
    expect(await failure(backend.compile(broken.program))).toMatchObject({
      code: "KernelError",
      kernel: "add",
      path: "model.layers.3",
    });
  });

  onDevice("that the device refuses in its first run is named", async (opened) => {
    const broken = spoilt((wgsl) => wgsl.replace("array<f32>;\n@compute", "array<f32, 1000>;\n@compute"));
    const backend = createBackend(opened, compilerOf(broken));
    const session = await backend.start({ count: scalar(1) });
    const executable = await backend.compile(broken.program);
    const error = await failure(session.run(executable, { by: scalar(1) }));
    expect(error).toMatchObject({ code: "KernelError", kernel: "add", path: "model.layers.3" });
    expect(numbersOf(await session.read(), "count")).toEqual([1]);
  });

  onDevice("that breaks later fails every later call", async (opened) => {
    const made = counter();
    const backend = createBackend(opened, compilerOf(made));
    const session = await backend.start({ count: scalar(1) });
    await session.run(await backend.compile(made.program), { by: scalar(1) });
    opened.device.createBuffer({ size: 16, usage: 0x1 | 0x80 }); // no call waits for this error
    await opened.device.queue.onSubmittedWorkDone();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(String(await failure(session.read()))).toContain("the device refused a command");
  });

  test("that breaks WebGPU's rules of access is found without a device", () => {
    const y = storage("temporary", "y", 4);
    const g = new Graph();
    const wanted = program(g, { state: [], outputs: { y: g.full([4], 1, "f32") } });
    const linked = (wrong: ReturnType<typeof kernel>, profile = baseProfile): unknown => {
      const compiled = { kernels: [kernel("first", [writes(y)], 4, ""), wrong], outputs: new Map([["y", y]]) };
      const layout = layoutOf(compiled, wanted, profile);
      return resolve(compiled, layout, { spots: new Map(), chunks: 0 }, profile);
    };
    const t = storage("temporary", "t", 4);
    expect(() => linked(kernel("wrong", [reads(y), writes(t)], 4, ""))).toThrow(
      'kernel "wrong": bindings 0 and 1 are parts of one buffer, one read-only and one writable',
    );
    expect(() => linked(kernel("wrong", [writes(y), writes(y)], 4, ""))).toThrow(
      "bindings 0 and 1 are writable and overlap",
    );
    expect(() => linked({ ...kernel("wrong", [writes(y)], 4, ""), grid: [70000, 1, 1] })).toThrow(
      "its grid is 70000 x 1 x 1, and an axis of this device takes 1 to 65535",
    );
    expect(() =>
      linked(kernel("wrong", [writes(y)], 4, ""), {
        ...baseProfile,
        limits: { ...baseProfile.limits, storageBuffers: 0 },
      }),
    ).toThrow("it binds 1 buffers, and this device allows 0");
    expect(linked(kernel("right", [writes(y), writes(t)], 4, ""))).toMatchObject({
      kernels: [
        {},
        {
          ranges: [
            { buffer: 0, bytes: 16 },
            { buffer: 0, bytes: 16 },
          ],
        },
      ],
    });
  });
});

describe("memory", () => {
  onDevice("beyond maxBytes is refused with both sizes", async (opened) => {
    const large = chain(4, 100_000);
    const small = chain(4, 50_000);
    const backend = createBackend(opened, compilerOf(large, small), { maxBytes: 1100 * 2 ** 10 });
    const error = await failure(backend.compile(large.program));
    expect(error).toSatisfy(UnsupportedError.isInstance);
    expect(String(error)).toMatch(
      /not enough memory for this program: expected 2\.0 MiB \(state 0 bytes, temporaries 1\.1 MiB\), got 1\.1 MiB \(maxBytes\)\. The largest temporaries: model\.layer: t0 \(391 KiB\), .* Make the batch/,
    );
    const session = await backend.start({ w: zeros(100_000) });
    const executable = await backend.compile(small.program);
    const feeds = { x: zeros(50_000) };
    await expect(session.run(executable, feeds)).rejects.toThrow(
      /not enough memory for temporaries: expected 587 KiB, got 5\d\d KiB \(the limit that was set with maxBytes\)\. The largest temporaries: model\.layer: t0/,
    );
    await session.dispose(); // with the session's memory free, the same run works
    expect(numbersOf(await (await backend.start({})).run(executable, feeds), "y")[0]).toBe(4.5);
    await expect(backend.start({ w: zeros(300_000) })).rejects.toThrow(
      /not enough memory for state: expected 1\.1 MiB, got .*maxBytes/,
    );
    expect((await (await backend.start({ w: f32(1) })).read())["w"]?.data[0]).toBe(1);
  });

  test("what one binding cannot show is refused with its name, layer and size", () => {
    const { program: wanted, compiled } = chain(2, 100_000);
    const small = { ...baseProfile, limits: { ...baseProfile.limits, bindingBytes: 2 ** 18 } };
    expect(() => layoutOf(compiled, wanted, small)).toThrow(
      /model\.layer: t0: expected at most 256 KiB \(what one binding of this device shows\), got 391 KiB \(f32\[100000\]\)\. Make the batch/,
    );
    expect(() => layState({ "decoder.weight": { dtype: "f32", shape: [1000, 1000] } }, small)).toThrow(
      'state "decoder.weight": expected at most 256 KiB',
    );
  });
});
