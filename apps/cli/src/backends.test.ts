import { available, unavailable, type Backend } from "@cloze/backend";
import { describe, expect, test } from "vitest";
import { BACKENDS, BACKEND_CHOICES, chooseBackend, type BackendEntry } from "./backends.ts";
import { examine } from "./commands/doctor.ts";
import { BACKEND_OPTIONS } from "./compute-options.ts";
import { PRETRAIN_OPTIONS } from "./pretrain-options.ts";

const fake = { name: "fake", capabilities: { device: "CPU" } } as Backend;
const [onnxruntime, reference] = BACKENDS.map((entry): BackendEntry => ({ ...entry, probe: async () => available("CPU"), open: async () => fake }));
if (onnxruntime === undefined || reference === undefined) throw new Error("expected two backends");
const missing: BackendEntry = { ...onnxruntime, probe: async () => unavailable("onnxruntime-node is not installed", "npm install onnxruntime-node") };
const broken: BackendEntry = { ...onnxruntime, probe: () => Promise.reject(new Error("Cannot find package\nRequire stack")) };

test("the choices are auto and the names, in every table", () => {
  expect([...BACKEND_CHOICES]).toEqual(["auto", ...BACKENDS.map(({ name }) => name)]);
  expect(BACKEND_OPTIONS.backend.choices).toEqual(BACKEND_CHOICES);
  expect(PRETRAIN_OPTIONS).toMatchObject(BACKEND_OPTIONS);
});

describe("auto", () => {
  test("takes the best that can run", async () => {
    expect(await chooseBackend("auto", {}, [onnxruntime, reference])).toEqual({ backend: fake, name: "onnxruntime", why: "backend onnxruntime on CPU (best of what runs here)" });
  });

  test("says what it passed over and why", async () => {
    const { name, why } = await chooseBackend("auto", {}, [missing, reference]);
    expect(name).toBe("reference");
    expect(why).toBe("backend reference on CPU (best of what runs here; onnxruntime cannot: onnxruntime-node is not installed)");
  });

  test("is an error where nothing can run", async () => {
    await expect(chooseBackend("auto", {}, [missing])).rejects.toThrow("--backend auto: nothing can run here: onnxruntime cannot: onnxruntime-node is not installed. See: cloze doctor");
  });
});

test("a backend that was named is used or is an error", async () => {
  expect((await chooseBackend("reference", {}, [onnxruntime, reference])).why).toBe("backend reference on CPU (as asked)");
  await expect(chooseBackend("onnxruntime", {}, [missing, reference])).rejects.toThrow("--backend onnxruntime: cannot run here: onnxruntime-node is not installed. npm install onnxruntime-node.");
  await expect(chooseBackend("onnxruntime", {}, [broken, reference])).rejects.toThrow("@cloze/backend-onnxruntime does not load: Cannot find package.");
});

test("threads reach the backend", async () => {
  const asked: unknown[] = [];
  await chooseBackend("auto", { threads: 3 }, [{ ...onnxruntime, open: async (settings) => (asked.push(settings), fake) }]);
  expect(asked).toEqual([{ threads: 3 }]);
});

test("our own backends answer a probe", async () => {
  for (const entry of BACKENDS) expect(await entry.probe()).toMatchObject({ available: true });
});

describe("doctor", () => {
  test("without ONNX Runtime: why, what would help, and what auto takes then", async () => {
    const { text, exitCode, json } = await examine(".", [missing, reference]);
    expect(exitCode).toBe(0);
    expect(text?.join("\n")).toContain("NO  onnxruntime: ONNX Runtime on the CPU\n    why: onnxruntime-node is not installed\n    what would help: npm install onnxruntime-node");
    expect(text?.at(-1)).toBe("--backend auto takes reference.");
    expect(json).toMatchObject({ ok: true, auto: "reference", backends: [{ name: "onnxruntime", available: false }, { name: "reference", available: true }] });
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
