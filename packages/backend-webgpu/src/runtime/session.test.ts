// Sessions over handwritten kernels: order, memory, reads and writes, types.
import { describe, expect } from "vitest";
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
  scaled,
  storage,
  writes,
  type Handmade,
} from "../../test/handmade.ts";
import { createBackend } from "./backend.ts";

describe("runs", () => {
  onDevice("happen in the order called, with more under way than the depth", async (opened) => {
    const made = counter();
    const backend = createBackend(opened, compilerOf(made));
    const session = await backend.start({ count: scalar(10) });
    const executable = await backend.compile(made.program);
    const all = await Promise.all([1, 2, 3, 4, 5, 6].map((n) => session.run(executable, { by: scalar(n) })));
    expect(all.map((out) => numbersOf(out, "before")[0])).toEqual([10, 11, 13, 16, 20, 25]);
    const run = session.run(executable, { by: scalar(1) });
    const read = session.read();
    expect(numbersOf(await read, "count")).toEqual([32]);
    await run;
    await session.write({ count: scalar(100) });
    expect(numbersOf(await session.run(executable, { by: scalar(1) }), "before")).toEqual([100]);
  });

  onDevice("of two programs share scratch memory, which grows; sessions are apart", async (opened) => {
    const small = chain(3, 100);
    const large = chain(6, 5000);
    const made = counter();
    const backend = createBackend(opened, compilerOf(small, large, made));
    const [a, b] = [await backend.start({ count: scalar(1) }), await backend.start({ count: scalar(50) })];
    const [one, two, count] = [
      await backend.compile(small.program),
      await backend.compile(large.program),
      await backend.compile(made.program),
    ];
    const x = (n: number): { x: ReturnType<typeof f32> } => ({ x: f32(...Array.from({ length: n }, (_, i) => i)) });
    for (let round = 0; round < 3; round++) {
      const outs = await Promise.all([
        a.run(one, x(100)),
        b.run(two, x(5000)),
        a.run(one, x(100)),
        b.run(count, { by: scalar(1) }),
        a.run(two, x(5000)),
      ]);
      expect(numbersOf(outs[0] ?? {}, "y")).toEqual(Array.from({ length: 100 }, (_, i) => 2 * i + 3.5));
      expect(numbersOf(outs[4] ?? {}, "y")).toEqual(Array.from({ length: 5000 }, (_, i) => 2 * i + 6.5));
      expect(outs[2]).toEqual(outs[0]);
      expect(numbersOf(outs[3] ?? {}, "before")).toEqual([50 + round]);
    }
    // The first temporary of the chain and two others live at once: 3 temporaries, not 6.
    expect(two.plan.peakBytes).toBeLessThan(5 * 5000 * 4 + 4 * 256 + 5000 * 4);
    expect(numbersOf(await a.read(), "count")).toEqual([1]);
  });

  onDevice("of kernels over whole buffers find what their tables say", async (opened) => {
    const made = scaled({ z: 3, a: 100, m: 1 });
    const backend = createBackend(opened, compilerOf(made));
    const executable = await backend.compile(made.program);
    const state = { z: f32(1, 2, 3), a: f32(...Array.from({ length: 100 }, (_, i) => i)), m: f32(7), other: f32(9) };
    const [one, two] = [await backend.start(state), await backend.start(state)];
    const buffers = backend.memory().buffers;
    await one.run(executable, { by: scalar(2) });
    await two.run(executable, { by: scalar(3) });
    expect(backend.memory().buffers).toBe(buffers + 1); // equal tables share one buffer
    const after = await one.read();
    expect(Object.keys(after)).toEqual(["z", "a", "m", "other"]);
    expect([numbersOf(after, "z"), numbersOf(after, "m"), numbersOf(after, "other")]).toEqual([[2, 4, 6], [14], [9]]);
    expect(numbersOf(after, "a")).toEqual(Array.from({ length: 100 }, (_, i) => 2 * i));
    expect(numbersOf(await two.read(["m"]), "m")).toEqual([21]);
    await one.dispose();
    await two.dispose();
    await executable.dispose();
    expect(backend.memory().buffers).toBeLessThan(buffers);
  });

  onDevice("are cut into several submits where they would take long, with the same values", async (opened) => {
    const made = chain(40, 5000);
    const whole = createBackend(opened, compilerOf(made));
    const cut = createBackend(opened, compilerOf(made), { sliceMs: 0.05 });
    const feeds = { x: f32(...Array.from({ length: 5000 }, (_, i) => Math.sin(i))) };
    const out = [];
    for (const backend of [whole, cut])
      out.push(await (await backend.start({})).run(await backend.compile(made.program), feeds));
    expect(out[1]).toEqual(out[0]);
    expect(numbersOf(out[0] ?? {}, "y")[1]).toBeCloseTo(2 * Math.sin(1) + 40.5, 4);
  });

  onDevice(
    "tell what each kernel took, where the device is opened for it",
    async (opened) => {
      const made = chain(6, 20_000);
      const backend = createBackend(opened, compilerOf(made), { timestamps: true });
      const executable = await backend.compile(made.program);
      const session = await backend.start({});
      const feeds = { x: f32(...Array.from({ length: 20_000 }, () => 1)) };
      for (let i = 0; i < 3; i++) expect(numbersOf(await session.run(executable, feeds), "y")[0]).toBe(8.5);
      const times = backend.kernelTimes();
      expect(Object.fromEntries(times.map(({ kernel, path, count }) => [`${path}: ${kernel}`, count]))).toEqual({
        "model.layer: next": 15,
        "model.layer: first": 3,
        "model.layer: end": 3,
      });
      expect(times.every(({ ms }) => ms >= 0 && ms < 10_000)).toBe(true);
      expect(times.some(({ ms }) => ms > 0)).toBe(true);
      expect(backend.kernelTimes()).toEqual([]);
    },
    { timestamps: true, f16: false },
  );

  onDevice("and sessions leave no buffers behind", async (opened) => {
    const made = chain(5, 1000);
    const count = counter();
    const backend = createBackend(opened, compilerOf(made, count));
    const executable = await backend.compile(made.program);
    const feeds = { x: f32(...Array.from({ length: 1000 }, () => 1)) };
    const round = async (): Promise<void> => {
      for (let i = 0; i < 5; i++) {
        const session = await backend.start({ count: scalar(i) });
        const again = await backend.compile(count.program);
        await session.run(executable, feeds);
        await session.run(again, { by: scalar(1) });
        await session.write(await session.read());
        await session.dispose();
        await again.dispose();
      }
    };
    await round();
    const before = backend.memory();
    await round();
    expect(backend.memory()).toEqual(before);
  });
});

describe("state and feeds", () => {
  onDevice("of every type come back bit for bit", async (opened) => {
    const g = new Graph();
    const u = g.input("u", "u32", [3]);
    const b = g.input("b", "bool", [5]);
    const i = g.input("i", "i32", [2]);
    const [bs, us, is] = [
      storage("state", "b", 5, "u32"),
      storage("feed", "u", 3, "u32"),
      storage("feed", "i", 2, "i32"),
    ];
    const flipped = storage("temporary", "flipped", 5, "u32");
    const made: Handmade = {
      program: program(g, { state: [b], outputs: { flipped: b.not(), u, i }, feeds: [u, i] }),
      compiled: {
        kernels: [kernel("not", [writes(flipped), reads(bs)], 5, "b0[i] = 1u - b1[i];")],
        outputs: new Map([
          ["flipped", flipped],
          ["u", us],
          ["i", is],
        ]),
      },
    };
    const backend = createBackend(opened, compilerOf(made));
    const bools = { dtype: "bool", shape: [5], data: Uint8Array.of(1, 0, 0, 1, 1) } as const;
    const session = await backend.start({
      b: bools,
      n: { dtype: "i32", shape: [1], data: Int32Array.of(-7) },
      none: { dtype: "f32", shape: [0], data: new Float32Array(0) },
    });
    const feeds = {
      u: { dtype: "u32", shape: [3], data: Uint32Array.of(1, 4294967295, 3) },
      i: { dtype: "i32", shape: [2], data: Int32Array.of(-1, 2) },
    } as const;
    const out = await session.run(await backend.compile(made.program), feeds);
    expect([...(out["flipped"]?.data ?? [])]).toEqual([0, 1, 1, 0, 0]);
    expect(out["flipped"]?.data).toBeInstanceOf(Uint8Array);
    expect([out["u"], out["i"]]).toEqual([feeds.u, feeds.i]);
    const state = await session.read();
    expect(state["b"]).toEqual(bools);
    expect([numbersOf(state, "n"), numbersOf(state, "none")]).toEqual([[-7], []]);
  });

  onDevice("are the caller's: what becomes of the arrays later changes nothing", async (opened) => {
    const made = counter();
    const backend = createBackend(opened, compilerOf(made));
    const given = scalar(10);
    const by = scalar(1);
    const starting = backend.start({ count: given });
    given.data.fill(99);
    const session = await starting;
    const executable = await backend.compile(made.program);
    const run = session.run(executable, { by });
    by.data.fill(99);
    expect(numbersOf(await run, "before")).toEqual([10]);
    expect(numbersOf(await session.read(), "count")).toEqual([11]);
    const written = scalar(5);
    const writing = session.write({ count: written });
    written.data.fill(99);
    await writing;
    expect(numbersOf(await session.read(), "count")).toEqual([5]);
  });

  onDevice("that do not fit are refused with both types", async (opened) => {
    const made = counter();
    const backend = createBackend(opened, compilerOf(made));
    const executable = await backend.compile(made.program);
    const session = await backend.start({ count: scalar(1) });
    await expect(session.run(executable, {})).rejects.toThrow('feed "by": expected f32[], got nothing');
    await expect(session.write({ count: f32(1) })).rejects.toThrow('state "count": expected f32[], got f32[1]');
    await expect(session.write({ nobody: f32(1) })).rejects.toThrow(
      'state "nobody": the session has no such state. It has: count.',
    );
    await expect(session.read(["nobody"])).rejects.toThrow("It has: count.");
    await expect((await backend.start({})).run(executable, { by: scalar(1) })).rejects.toThrow(
      'state "count": expected f32[], got nothing. Pass it to start().',
    );
    await expect(backend.start({ half: { dtype: "f16", shape: [1], data: Uint16Array.of(1) } })).rejects.toThrow(
      "this device has no 16-bit floats, or they are off",
    );
    await expect(backend.start({ short: { dtype: "f32", shape: [2], data: Float32Array.of(1) } })).rejects.toThrow(
      "expected 2 elements",
    );
    await executable.dispose();
    await expect(session.run(executable, { by: scalar(1) })).rejects.toThrow(
      /expected an executable that this backend compiled/,
    );
    await session.dispose();
    await session.dispose();
    await expect(session.read()).rejects.toThrow("session.read: the session is disposed. Start another.");
  });
});

describe("compiling", () => {
  onDevice("the same program again is free", async (opened) => {
    let compiled = 0;
    const made = counter();
    const inner = compilerOf(made);
    const backend = createBackend(opened, {
      ...inner,
      compile: (p, options) => (compiled++, inner.compile(p, options)),
    });
    const [a, b] = await Promise.all([backend.compile(made.program), backend.compile(made.program)]);
    await backend.compile(counter().program); // another graph with the same text
    expect(compiled).toBe(1);
    await a.dispose();
    const session = await backend.start({ count: scalar(1) });
    expect(numbersOf(await session.run(b, { by: scalar(1) }), "before")).toEqual([1]);
    expect(b.plan).toMatchObject({
      backend: "webgpu",
      stateBytes: 4,
      steps: [
        { kernel: "copy", count: 1 },
        { kernel: "add", count: 1 },
      ],
    });
  });
});
