/** The cache of programs, over a backend that counts what it compiles and what is disposed of. */
import { Graph, program, type HostTensors, type Program } from "@cloze/graph";
import { describe, expect, it } from "vitest";
import type { Backend, Executable, Session } from "./backend.ts";
import { ProgramCache } from "./program-cache.ts";

const one = (name: string): Program => {
  const graph = new Graph();
  return program(graph, { state: [], outputs: { [name]: graph.const(1, "f32") } });
};
const nameOf = ({ program: { outputs } }: Executable): string => Object.keys(outputs)[0] as string;

/** Each program has `bytes` of temporaries. */
function counting(bytes = 100): { backend: Backend; compiled: string[]; disposed: string[] } {
  const compiled: string[] = [];
  const disposed: string[] = [];
  const backend: Backend = {
    name: "counting",
    capabilities: { device: "none", dtypes: ["f32"], composites: [], limits: { tensorBytes: 1 } },
    compile: async (made) => {
      const executable: Executable = {
        program: made,
        plan: { backend: "counting", steps: [], stateBytes: 0, peakBytes: bytes },
        dispose: async () => void disposed.push(nameOf(executable)),
      };
      compiled.push(nameOf(executable));
      return executable;
    },
    start: async () => session(),
    dispose: async () => undefined,
  };
  return { backend, compiled, disposed };
}

/** A session whose runs wait for `until`. */
const session = (until: Promise<void> = Promise.resolve()): Session => ({
  run: async (): Promise<HostTensors> => {
    await until;
    return {};
  },
  read: async () => ({}),
  write: async () => undefined,
  dispose: async () => undefined,
});

describe("ProgramCache", () => {
  it("compiles each key once; objects count by identity, not by content", async () => {
    const { backend, compiled } = counting();
    const cache = new ProgramCache(backend);
    const model = { layers: 1 };
    const first = await cache.get(["step", model], () => one("a"));
    expect(await cache.get(["step", model], () => one("b"))).toBe(first);
    await cache.get(["step", { layers: 1 }], () => one("c"));
    await cache.get(["step", "0"], () => one("d"));
    expect(compiled).toEqual(["a", "c", "d"]);
  });

  it("builds again what failed to build or to compile", async () => {
    const { backend } = counting();
    const cache = new ProgramCache(backend);
    const broken = (): Program => {
      throw new Error("no such layer");
    };
    await expect(cache.get(["x"], broken)).rejects.toThrow("no such layer");
    await expect(cache.run(session(), ["x"], broken, {})).rejects.toThrow("no such layer");
    expect(nameOf(await cache.get(["x"], () => one("a")))).toBe("a");
  });

  it("disposes of the programs whose last use is oldest, beyond a number", async () => {
    const { backend, disposed } = counting();
    const cache = new ProgramCache(backend, {}, { count: 2 });
    for (const name of ["a", "b", "a", "c"]) await cache.run(session(), [name], () => one(name), {});
    expect(disposed).toEqual(["b"]);
  });

  it("disposes by the bytes of the temporaries, and keeps the program used last, however large", async () => {
    const { backend, disposed } = counting(100);
    const cache = new ProgramCache(backend, {}, { bytes: 50 });
    for (const name of ["a", "b"]) await cache.run(session(), [name], () => one(name), {});
    expect(disposed).toEqual(["a"]);
  });

  it("keeps a program that is running", async () => {
    const { backend, disposed } = counting();
    const cache = new ProgramCache(backend, {}, { count: 1 });
    let finish = (): void => undefined;
    const slow = cache.run(session(new Promise((done) => (finish = done))), ["slow"], () => one("slow"), {});
    await cache.run(session(), ["fast"], () => one("fast"), {});
    expect(disposed).toEqual([]);
    finish();
    await slow;
    expect(disposed).toEqual(["slow"]);
  });

  it("keeps everything without limits, and disposes of all at the end, failures left out", async () => {
    const { backend, disposed } = counting();
    const cache = new ProgramCache(backend);
    for (let i = 0; i < 50; i++) await cache.run(session(), [String(i)], () => one(`p${i}`), {});
    expect(disposed).toEqual([]);
    await cache.dispose();
    expect(disposed).toHaveLength(50);
  });
});
