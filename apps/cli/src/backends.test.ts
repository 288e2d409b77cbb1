import { available, unavailable, type Backend } from "@cloze/backend";
import { describe, expect, test } from "vitest";
import { BACKENDS, BACKEND_CHOICES, chooseBackend, type BackendEntry } from "./backends.ts";
import { examine } from "./commands/doctor.ts";
import { BACKEND_OPTIONS } from "./compute-options.ts";
import { PRETRAIN_OPTIONS } from "./pretrain-options.ts";

const fake = { name: "fake", capabilities: { device: "CPU" } } as Backend;
const [webgpu, onnxruntime, reference, cuda, native] = (
  ["webgpu", "onnxruntime", "reference", "tfjs:node-gpu", "tfjs:node"] as const
).map((name): BackendEntry => {
  const entry = BACKENDS.find((each) => each.name === name);
  if (entry === undefined) throw new Error(`expected a backend ${name}`);
  return { ...entry, probe: async () => available("CPU"), open: async () => fake };
}) as [BackendEntry, BackendEntry, BackendEntry, BackendEntry, BackendEntry];
const missing: BackendEntry = {
  ...onnxruntime,
  probe: async () => unavailable("onnxruntime-node is not installed", "npm install onnxruntime-node"),
};
const emulated: BackendEntry = {
  ...webgpu,
  probe: async () => available("llvmpipe", { kind: "software" }, { lastResort: "llvmpipe is no GPU" }),
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
    expect(await chooseBackend("auto", {}, [onnxruntime, reference])).toEqual({
      backend: fake,
      name: "onnxruntime",
      why: "backend onnxruntime on CPU (best of what runs here)",
    });
  });

  test("says what it passed over and why", async () => {
    const { name, why } = await chooseBackend("auto", {}, [missing, reference]);
    expect(name).toBe("reference");
    expect(why).toBe(
      "backend reference on CPU (best of what runs here; onnxruntime cannot: onnxruntime-node is not installed)",
    );
  });

  test("takes a GPU, and one that is emulated by name only", async () => {
    expect((await chooseBackend("auto", {}, [webgpu, onnxruntime, reference])).name).toBe("webgpu");
    const { name, why } = await chooseBackend("auto", {}, [emulated, onnxruntime]);
    expect(name).toBe("onnxruntime");
    expect(why).toBe(
      "backend onnxruntime on CPU (best of what runs here; webgpu only with --backend webgpu: llvmpipe is no GPU)",
    );
    expect((await chooseBackend("webgpu", {}, [emulated, onnxruntime])).name).toBe("webgpu");
    await expect(chooseBackend("auto", {}, [emulated])).rejects.toThrow(
      "nothing can run here: webgpu only with --backend webgpu: llvmpipe is no GPU. See: cloze doctor",
    );
  });

  test("is an error where nothing can run", async () => {
    await expect(chooseBackend("auto", {}, [missing])).rejects.toThrow(
      "--backend auto: nothing can run here: onnxruntime cannot: onnxruntime-node is not installed. See: cloze doctor",
    );
  });
});

test("a backend that was named is used or is an error", async () => {
  expect((await chooseBackend("reference", {}, [onnxruntime, reference])).why).toBe(
    "backend reference on CPU (as asked)",
  );
  await expect(chooseBackend("onnxruntime", {}, [missing, reference])).rejects.toThrow(
    "--backend onnxruntime: cannot run here: onnxruntime-node is not installed. npm install onnxruntime-node.",
  );
  await expect(chooseBackend("onnxruntime", {}, [broken, reference])).rejects.toThrow(
    "@cloze/backend-onnxruntime does not load: Cannot find package.",
  );
});

test("tfjs is the first of TensorFlow's own that can run", async () => {
  const absent: BackendEntry = { ...cuda, probe: async () => unavailable("not installed", "npm install it") };
  expect((await chooseBackend("tfjs", {}, [cuda, onnxruntime, native])).name).toBe("tfjs:node-gpu");
  expect((await chooseBackend("tfjs", {}, [absent, onnxruntime, native])).why).toBe(
    "backend tfjs:node on CPU (as asked; tfjs:node-gpu cannot: not installed)",
  );
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
    const probe = await entry.probe();
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
  test("without ONNX Runtime: why, what would help, and what auto takes then", async () => {
    const { text, exitCode, json } = await examine(".", [missing, reference]);
    expect(exitCode).toBe(0);
    expect(text?.join("\n")).toContain(
      "NO  onnxruntime: ONNX Runtime on the CPU\n    why: onnxruntime-node is not installed\n    what would " +
        "help: npm install onnxruntime-node",
    );
    expect(text?.at(-1)).toBe("--backend auto takes reference.");
    expect(json).toMatchObject({
      ok: true,
      auto: "reference",
      backends: [
        { name: "onnxruntime", available: false },
        { name: "reference", available: true },
      ],
    });
  });

  test("a GPU that is emulated: what it is, and that auto does not take it", async () => {
    const { text, json } = await examine(".", [emulated, reference]);
    expect(text?.join("\n")).toContain(
      "ok  webgpu: the GPU, through WebGPU\n    on llvmpipe\n    kind: software\n    only with --backend webgpu: " +
        "llvmpipe is no GPU",
    );
    expect(text?.at(-1)).toBe("--backend auto takes reference.");
    expect(json).toMatchObject({
      auto: "reference",
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
