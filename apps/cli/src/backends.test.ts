import { available, unavailable, type Backend } from "@cloze/backend";
import { describe, expect, test } from "vitest";
import { BACKENDS, BACKEND_CHOICES, chooseBackend, type BackendEntry } from "./backends.ts";
import { examine } from "./commands/doctor.ts";
import { BACKEND_OPTIONS } from "./compute-options.ts";
import { PRETRAIN_OPTIONS } from "./pretrain-options.ts";

const fake = { name: "fake", capabilities: { device: "CPU, 2 threads" } } as Backend;
const [webgpu, onnxruntime, reference, cuda, native] = (
  ["webgpu", "onnxruntime", "reference", "tfjs:node-gpu", "tfjs:node"] as const
).map((name): BackendEntry => {
  const entry = BACKENDS.find((each) => each.name === name);
  if (entry === undefined) throw new Error(`expected a backend ${name}`);
  return { ...entry, probe: async () => available("CPU"), open: async () => fake };
}) as [BackendEntry, BackendEntry, BackendEntry, BackendEntry, BackendEntry];
const missing: BackendEntry = {
  ...onnxruntime,
  probe: async () => unavailable("ONNX Runtime did not load (file too short)", "Install it again: npm install"),
};
const emulated: BackendEntry = {
  ...webgpu,
  probe: async () => available("llvmpipe", { kind: "software" }, { lastResort: "llvmpipe is no GPU" }),
};
const interpreter: BackendEntry = {
  ...reference,
  probe: async () => available("CPU", {}, { lastResort: "it takes hours" }),
};
const broken: BackendEntry = {
  ...onnxruntime,
  probe: () => Promise.reject(new Error("Cannot find package\nRequire stack")),
};

test("the choices are auto and the names, in every table", () => {
  const names = new Set(BACKENDS.flatMap(({ name, group }) => [name, ...(group === undefined ? [] : [group])]));
  expect([...BACKEND_CHOICES].sort()).toEqual(["auto", ...names].sort());
  expect(BACKEND_OPTIONS.backend.choices).toEqual(BACKEND_CHOICES);
  expect(PRETRAIN_OPTIONS).toMatchObject(BACKEND_OPTIONS);
});

describe("auto", () => {
  test("takes the best that can run", async () => {
    expect(await chooseBackend("auto", {}, [missing, onnxruntime, reference])).toEqual({
      backend: fake,
      name: "onnxruntime",
      place: "on the CPU, 2 threads (onnxruntime)",
    });
  });

  test("takes a GPU, and one that is emulated by name only", async () => {
    expect((await chooseBackend("auto", {}, [webgpu, onnxruntime, reference])).name).toBe("webgpu");
    expect((await chooseBackend("auto", {}, [emulated, onnxruntime])).name).toBe("onnxruntime");
    expect((await chooseBackend("webgpu", {}, [emulated, onnxruntime])).name).toBe("webgpu");
    await expect(chooseBackend("auto", {}, [emulated])).rejects.toThrow(
      "got none: webgpu only with --backend webgpu: llvmpipe is no GPU. See: cloze doctor",
    );
  });

  test("never takes the interpreter, and says how to get a backend", async () => {
    await expect(chooseBackend("auto", {}, [missing, interpreter])).rejects.toThrow(
      "--backend auto: expected a backend that can run here, got none: onnxruntime cannot: ONNX Runtime did not load " +
        "(file too short); reference only with --backend reference: it takes hours. Install it again: npm run setup. " +
        "See: cloze doctor",
    );
    expect((await chooseBackend("reference", {}, [missing, interpreter])).name).toBe("reference");
  });

  test("passes over our own interpreter", async () => {
    const own = BACKENDS.filter(({ name }) => name === "reference");
    await expect(chooseBackend("auto", {}, own)).rejects.toThrow("reference only with --backend reference");
    expect((await chooseBackend("reference", {}, own)).place).toBe("on the CPU, the interpreter (reference)");
  });

  test("asks without noise, a named backend may make some", async () => {
    const purposes: string[] = [];
    const asked: BackendEntry = { ...webgpu, probe: async (purpose) => (purposes.push(purpose), available("CPU")) };
    await chooseBackend("auto", {}, [asked]);
    await chooseBackend("webgpu", {}, [asked]);
    await examine(".", [asked]);
    expect(purposes).toEqual(["choose", "use", "show"]);
  });
});

test("a backend that was named is used or is an error", async () => {
  expect((await chooseBackend("reference", {}, [onnxruntime, reference])).name).toBe("reference");
  await expect(chooseBackend("onnxruntime", {}, [missing, reference])).rejects.toThrow(
    "--backend onnxruntime: cannot run here: ONNX Runtime did not load (file too short). " +
      "Install it again: npm run setup.",
  );
  await expect(chooseBackend("onnxruntime", {}, [broken, reference])).rejects.toThrow(
    "@cloze/backend-onnxruntime does not load: Cannot find package.",
  );
});

test("tfjs is the first of TensorFlow's own that can run", async () => {
  const absent: BackendEntry = { ...cuda, probe: async () => unavailable("not installed", "npm install it") };
  expect((await chooseBackend("tfjs", {}, [cuda, onnxruntime, native])).name).toBe("tfjs:node-gpu");
  expect((await chooseBackend("tfjs", {}, [absent, onnxruntime, native])).name).toBe("tfjs:node");
  await expect(chooseBackend("tfjs", {}, [absent, onnxruntime])).rejects.toThrow(
    "--backend tfjs: nothing can run here: tfjs:node-gpu cannot: not installed. See: cloze doctor",
  );
  await expect(chooseBackend("tfjs:node-gpu", {}, [absent, native])).rejects.toThrow(
    "--backend tfjs:node-gpu: cannot run here: not installed. npm install it.",
  );
});

test("threads reach the backend", async () => {
  const asked: unknown[] = [];
  await chooseBackend("auto", { threads: 3 }, [
    { ...onnxruntime, open: async (settings) => (asked.push(settings), fake) },
  ]);
  expect(asked).toEqual([{ threads: 3 }]);
});

test("our own backends answer a probe", async () => {
  for (const entry of BACKENDS) {
    const probe = await entry.probe("show");
    if (["onnxruntime", "reference", "tfjs:wasm", "tfjs:cpu"].includes(entry.name))
      expect(probe).toMatchObject({ available: true });
    else if (!probe.available)
      // a machine without a driver, without TensorFlow
      expect([probe.reason, probe.remedy]).toEqual([expect.stringMatching(/\w/), expect.stringMatching(/\w/)]);
    else if (entry.name === "webgpu")
      expect(probe.details).toMatchObject({
        kind: expect.any(String),
        f16: expect.any(String),
        limits: expect.any(String),
      });
  }
});

describe("doctor", () => {
  test("without ONNX Runtime: why, what would help, and that auto does not take the interpreter", async () => {
    const { text, exitCode, json } = await examine(".", [missing, interpreter]);
    expect(exitCode).toBe(1);
    expect(text?.join("\n")).toContain(
      "NO  onnxruntime: ONNX Runtime on the CPU\n    why: ONNX Runtime did not load (file too short)\n" +
        "    what would help: Install it again: npm run setup",
    );
    expect(text?.at(-1)).toBe("Nothing can train here yet.");
    expect(json).toMatchObject({
      ok: false,
      auto: null,
      backends: [
        { name: "onnxruntime", available: false },
        { name: "reference", available: true, lastResort: "it takes hours" },
      ],
    });
  });

  test("a GPU that is emulated: what it is, and that auto does not take it", async () => {
    const { text, json } = await examine(".", [emulated, onnxruntime]);
    expect(text?.join("\n")).toContain(
      "ok  webgpu: the GPU, through WebGPU\n    on llvmpipe\n    kind: software\n    only with --backend webgpu: " +
        "llvmpipe is no GPU",
    );
    expect(text?.at(-1)).toBe("--backend auto takes onnxruntime.");
    expect(json).toMatchObject({
      auto: "onnxruntime",
      backends: [{ name: "webgpu", available: true, lastResort: "llvmpipe is no GPU" }, {}],
    });
  });

  test("nothing to run on, an old Node", async () => {
    expect(await examine(".", [missing])).toMatchObject({ exitCode: 1, json: { ok: false, auto: null } });
    const old = await examine(".", [reference], "18.20.0");
    expect(old).toMatchObject({ exitCode: 1, json: { ok: false } });
    expect(old.text?.join("\n")).toContain("expected Node 20.19 or newer");
    expect(await examine(".", [reference], "20.19.0")).toMatchObject({ exitCode: 0 });
    expect(await examine(".", [reference], "24.0.1")).toMatchObject({ exitCode: 0 });
  });
});
