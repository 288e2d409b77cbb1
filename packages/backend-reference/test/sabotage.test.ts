// Does the conformance suite notice faults? Each backend here has one fault, and a named check must fail on it.
import { describe, expect, it } from "vitest";
import type { Backend, HostTensors, Session } from "@cloze/backend";
import { unavailable } from "@cloze/backend";
import { allChecks, judge, unknownGaps, type Check } from "@cloze/backend-conformance";
import { hostTensor, program } from "@cloze/graph";
import { backend } from "../src/index.ts";

type SessionChange = (session: Session) => Partial<Session>;

/** The reference backend with changed sessions. */
function changed(change: SessionChange): Backend {
  const right = backend();
  return {
    ...right,
    start: async (state) => {
      const session = await right.start(state);
      const base: Session = {
        run: (e, f) => session.run(e, f),
        read: (n) => session.read(n),
        write: (s) => session.write(s),
        dispose: () => session.dispose(),
      };
      return { ...base, ...change(session) };
    },
  };
}

const checks = allChecks();
const named = (name: string): Check => {
  const found = checks.find((c) => c.name === name);
  if (found === undefined) throw new Error(`no check ${name}`);
  return found;
};

const mapped = (tensors: HostTensors, f: (x: number, i: number) => number): HostTensors =>
  Object.fromEntries(Object.entries(tensors).map(([name, t]) => [name, { ...t, data: t.data.map(f) }]));

const sabotages: readonly (readonly [what: string, wrong: () => Backend, noticed: string])[] = [
  [
    "outputs are off by one part in 100,000",
    () => changed((s) => ({ run: async (e, f) => mapped(await s.run(e, f), (x) => x * (1 + 1e-5)) })),
    "add > row > f32 > forward",
  ],
  [
    "an integer is off by one",
    () => changed((s) => ({ run: async (e, f) => mapped(await s.run(e, f), (x, i) => (i === 1 ? x + 1 : x)) })),
    "argMax > first of equals > f32 > forward",
  ],
  [
    "updates are lost",
    () =>
      changed((s) => ({
        run: async (e, f) => {
          const before = await s.read();
          const out = await s.run(e, f);
          await s.write(before);
          return out;
        },
      })),
    "session > state persists and is replaced by updates",
  ],
  [
    "updates are lost",
    () =>
      changed((s) => ({
        run: async (e, f) => {
          const before = await s.read();
          const out = await s.run(e, f);
          await s.write(before);
          return out;
        },
      })),
    "training > one step of a two-layer encoder",
  ],
  [
    "results are noisy",
    () =>
      changed((s) => {
        let n = 0;
        return { run: async (e, f) => mapped(await s.run(e, f), (x) => x * (1 + 1e-7 * ++n)) };
      }),
    "determinism > a random chain",
  ],
  [
    "unknown feeds are let through",
    () =>
      changed((s) => ({
        run: (e, f) =>
          s.run(
            e,
            Object.fromEntries(
              e.program.feeds.map((x) => [x.attrs.name, f[x.attrs.name] ?? hostTensor(x.dtype, x.shape)]),
            ),
          ),
      })),
    "session > a wrong feed is an error and changes nothing",
  ],
  [
    "errors are not ours",
    () => changed((s) => ({ read: (n) => s.read(n).catch((e: unknown) => Promise.reject(new TypeError(String(e)))) })),
    "session > wrong names and types are errors when reading and writing",
  ],
  [
    "a session does not end",
    () => changed(() => ({ dispose: async () => {} })),
    "session > after its end everything is an error, ending again is not",
  ],
  [
    "reads give everything",
    () => changed((s) => ({ read: () => s.read() })),
    "session > reads some names, in one call",
  ],
  [
    "f32 is kept in 16 bits",
    () => changed((s) => ({ read: async (n) => mapped(await s.read(n), (x) => Number(x.toPrecision(3))) })),
    "session > state of f32 comes back bit for bit",
  ],
  [
    "outputs of one tensor are given once",
    () => changed((s) => ({ run: async (e, f) => Object.fromEntries(Object.entries(await s.run(e, f)).slice(0, 1)) })),
    "aliasing > one tensor is two outputs",
  ],
  [
    "the guard is not looked at",
    () => {
      const right = backend();
      return {
        ...right,
        compile: (p) =>
          right.compile(program(p.graph, { state: p.state, feeds: p.feeds, updates: p.updates, outputs: p.outputs })),
      };
    },
    "guard > by what is fed",
  ],
  [
    "updates are applied before the outputs are read",
    () => ({
      ...backend(),
      ...(() => {
        const right = backend();
        return {
          compile: (p) =>
            right.compile(
              program(p.graph, {
                state: p.state,
                feeds: p.feeds,
                updates: p.updates,
                outputs: Object.fromEntries(
                  Object.entries(p.outputs).map(([name, x]) => [
                    name,
                    Object.entries(p.updates).find(([s]) =>
                      p.state.some((input) => input === x && input.attrs.name === s),
                    )?.[1] ?? x,
                  ]),
                ),
              }),
            ),
          start: (state) => right.start(state),
        } satisfies Partial<Backend>;
      })(),
    }),
    "aliasing > the old value is an output",
  ],
];

describe("a backend with one thing wrong fails", () => {
  for (const [what, wrong, noticed] of sabotages) {
    it(`${what}: ${noticed}`, async () => {
      await expect(judge(named(noticed), wrong(), [])).rejects.toThrow();
      await expect(judge(named(noticed), backend(), [])).resolves.toBeUndefined();
    });
  }
});

describe("gaps", () => {
  const check = named("add > row > f32 > forward");
  const off = (): Backend => changed((s) => ({ run: async (e, f) => mapped(await s.run(e, f), (x) => x + 1) }));

  it("a failing check in a gap is no failure", async () => {
    await expect(judge(check, off(), [{ reason: "adds one", cases: ["add > row"] }])).resolves.toBeUndefined();
    await expect(judge(check, off(), [{ reason: "adds one", cases: ["add > ro"] }])).rejects.toThrow("elements differ");
  });

  it("a gap that passes is a failure", async () => {
    await expect(
      judge(check, backend(), [{ reason: "once broken", cases: ["add > row > f32 > forward"] }]),
    ).rejects.toThrow("(once broken) passes: take it out");
  });

  it("a gap that names nothing is found", () => {
    expect(unknownGaps([{ reason: "", cases: ["add > row", "add > rows", "ad"] }], checks)).toEqual([
      "add > rows",
      "ad",
    ]);
  });
});

describe("what cannot run is skipped with the reason, never passed", () => {
  const check = named("add > row > f16 > forward");

  it("no backend", async () => {
    expect(await judge(check, undefined, [])).toBe("not on this machine");
    expect(await judge(check, unavailable("No adapter.", "Install a driver."), [])).toBe(
      "No adapter. Install a driver.",
    );
  });

  it("a dtype that is not claimed", async () => {
    const right = backend();
    const narrow = { ...right, capabilities: { ...right.capabilities, dtypes: ["f32"] as const } };
    expect(await judge(check, narrow, [])).toBe("the backend does not claim f16");
  });

  it("no count of buffers", async () => {
    expect(
      await judge(named("session > runs, sessions and programs leave no buffers behind"), backend(), []),
    ).toContain("does not say");
    let alive = 0;
    await expect(
      judge(named("session > runs, sessions and programs leave no buffers behind"), backend(), [], () => alive++),
    ).rejects.toThrow("alive after a hundred runs");
  });
});

it("names are unique", () => {
  expect(new Set(checks.map((c) => c.name)).size).toBe(checks.length);
});
