// Tests that run no kernels: the examples of the rules, the choice of tiles, and the text for matrix units.
import { create } from "webgpu";
import { describe, expect, it } from "vitest";
import {
  attention,
  castPolicyRules,
  grad,
  Graph,
  interpret,
  isFloat,
  isOp,
  order,
  rewrite,
  type Tensor,
} from "@cloze/graph";
import { baseProfile, type Profile } from "../profile.ts";
import { shaderOf } from "./harness.ts";
import { attentionRules, isFlash } from "./rules.ts";
import { isMatrixTile, tileOf, type FlashKernel } from "./tiles.ts";

const limits = { ...baseProfile.limits, storageBuffers: 16, sharedBytes: 48 * 2 ** 10, invocations: 1024 };
const matrices: Profile = {
  ...baseProfile,
  family: "nvidia",
  f16: true,
  limits,
  subgroups: { min: 32, max: 32 },
  subgroupMatrix: [{ component: "f16", result: "f32", m: 16, n: 16, k: 16 }],
};

describe("rules", () => {
  it.each(attentionRules(matrices).map((r) => [r.name, r] as const))("%s", (_, r) => {
    const g = new Graph();
    const before = r.example(g);
    const { roots, fired } = rewrite([before], [r], "one rule");
    expect(fired.get(r.name) ?? 0).toBeGreaterThan(0);
    for (let seed = 0; seed < 5; seed++) {
      const env = Object.fromEntries(
        order([before]).flatMap((x) =>
          isOp(x, "input")
            ? [
                [
                  x.attrs.name,
                  Array.from({ length: x.shape.reduce((n, d) => n * d, 1) }, (_x, i) =>
                    isFloat(x.dtype) ? Math.sin(i * 12.9 + seed * 3.7 + x.id) : (i * 7 + seed) % 2,
                  ),
                ],
              ]
            : [],
        ),
      );
      const [want, got] = [interpret([before], env), interpret(roots, env)].map((v) =>
        Array.from(v[0]?.data as ArrayLike<number>),
      ) as [number[], number[]];
      want.forEach((x, i) => expect(Math.abs(x - (got[i] as number)), `element ${i}`).toBeLessThan(1e-4));
    }
  });

  const rewritten = (
    shape: readonly [number, number, number, number],
    profile: Profile,
    dtype: "f32" | "bf16" = "f32",
    dropoutRate = 0,
  ): number => {
    const g = new Graph();
    const q = g.input("q", "f32", shape);
    const key = g.input("key", "u32", [2]);
    const [root] = rewrite(
      [attention(q, q, q, dropoutRate > 0 ? { dropout: { rate: dropoutRate, stream: 0, key } } : {})],
      dtype === "bf16" ? castPolicyRules("bf16") : [],
      "dtype",
    ).roots as [Tensor];
    return order(rewrite([root], attentionRules(profile), "attention").roots).filter(isFlash).length;
  };
  it("leave alone what kernels cannot do", () => {
    expect(rewritten([1, 2, 8, 128], baseProfile)).toBe(1);
    expect(rewritten([1, 2, 8, 129], baseProfile)).toBe(0);
    expect(rewritten([1, 2, 8, 16], baseProfile, "bf16")).toBe(0);
    expect(rewritten([2, 2, 2 ** 15, 1], baseProfile, "f32", 0.1)).toBe(1);
    expect(rewritten([5, 1, 2 ** 15, 1], baseProfile, "f32", 0.1)).toBe(0);
    expect(rewritten([65536, 1, 1, 1], baseProfile)).toBe(0);
    expect(rewritten([1, 1, 8, 16], { ...baseProfile, limits: { ...baseProfile.limits, storageBuffers: 4 } })).toBe(0);
  });

  it("make one set of marks for all layers", () => {
    const g = new Graph();
    const shape = [2, 2, 40, 16];
    const segments = g.input("segments", "i32", [2, 40]);
    let x: Tensor<"f32"> = g.input("x", "f32", shape);
    for (let layer = 0; layer < 3; layer++) x = attention(x, x, x, { segments, window: 3 + layer });
    const nodes = order(
      rewrite(grad(x.sum(), [g.input("x", "f32", shape)]), attentionRules(matrices), "attention").roots,
    ).filter(isFlash);
    const marksOf = (name: string): Set<unknown> =>
      new Set(nodes.filter((n) => n.attrs.composite.name === name).map((n) => n.args.at(-1)));
    for (const name of ["flashForward", "flashGradQ", "flashGradKV"]) expect(marksOf(name).size).toBe(1);
  });
});

describe("tiles", () => {
  const kernels: readonly FlashKernel[] = ["flashForward", "flashGradQ", "flashGradKV", "flashGradBias"];
  it("fit every device for every head", () => {
    for (const kernel of kernels)
      for (let dim = 1; dim <= 128; dim++)
        for (const element of ["f32", "f16"] as const)
          for (const family of ["software", "unknown"] as const) {
            expect(
              tileOf(kernel, dim, element, { ...baseProfile, family }),
              `${kernel} ${dim} ${element}`,
            ).toBeDefined();
          }
  });
  it("use matrix units where there are some", () => {
    for (const kernel of kernels)
      for (const dim of [16, 20, 64, 128]) {
        const tile = tileOf(kernel, dim, "f16", matrices);
        expect(tile !== undefined && isMatrixTile(tile), `${kernel} ${dim}`).toBe(kernel !== "flashGradBias");
        expect(tileOf(kernel, dim, "f32", matrices)).not.toHaveProperty("matrix");
      }
  });
});

describe("text for matrix units", () => {
  it("is accepted by Dawn", async (context) => {
    const gpu = create(["backend=null", "enable-dawn-features=allow_unsafe_apis"]);
    // The process crashes when an instance of Dawn is collected, so this one stays for the life of the process.
    Object.assign(globalThis, { clozeNullGpu: gpu });
    const adapter = await gpu.requestAdapter();
    const feature = "chromium-experimental-subgroup-matrix" as GPUFeatureName;
    if (adapter === null || !adapter.features.has(feature))
      return context.skip("Dawn's null backend has no subgroup matrices here"); // allow skip: says why
    const { maxComputeWorkgroupStorageSize, maxStorageBuffersPerShaderStage } = adapter.limits;
    const device = await adapter.requestDevice({
      requiredFeatures: [feature, "subgroups", "shader-f16"],
      requiredLimits: { maxComputeWorkgroupStorageSize, maxStorageBuffersPerShaderStage },
    });
    const profile: Profile = { ...matrices, limits: { ...limits, sharedBytes: 32768, storageBuffers: 10 } };
    for (const dim of [16, 20, 64])
      for (const masked of [false, true]) {
        const g = new Graph();
        const [q, k, v] = ["q", "k", "v"].map((name) => g.input(name, "f32", [2, 2, 100, dim])) as [
          Tensor<"f32">,
          Tensor<"f32">,
          Tensor<"f32">,
        ];
        const out = attention(
          q,
          k,
          v,
          masked
            ? {
                segments: g.input("s", "i32", [2, 100]),
                keyPadding: g.input("p", "bool", [2, 100]),
                window: 20,
                softcap: 3,
                dropout: { rate: 0.1, stream: 2, key: g.input("key", "u32", [2]) },
              }
            : {},
        );
        const { roots } = rewrite(
          rewrite([out, ...grad(out.sum(), [q, k, v])], castPolicyRules("f16"), "f16").roots,
          attentionRules(profile),
          "attention",
        );
        for (const node of order(roots).filter(isFlash)) {
          const { part, wgsl } = shaderOf(
            node,
            g.call(node.attrs.composite, node.args, node.attrs.params),
            profile,
            true,
          );
          expect(part.name).toContain("matrix");
          device.pushErrorScope("validation");
          const module = device.createShaderModule({ code: wgsl });
          const { messages } = await module.getCompilationInfo();
          expect(messages.map((m) => `${part.name}: ${m.message}`)).toEqual([]);
          expect((await device.popErrorScope())?.message).toBeUndefined();
        }
      }
    device.destroy();
  });
});
