import { Graph } from "@cloze/graph";
import { describe, expect, it } from "vitest";
import { linear } from "./linear.ts";
import { parametersOf } from "./model.ts";
import { HEAD, countParameters, rootScope } from "./scope.ts";

const zero = { kind: "zeros" } as const;

describe("Scope", () => {
  it("names parameters by their place, in the order of declaration", () => {
    const scope = rootScope(new Graph());
    scope.at("encoder").at("layer").at(1).param("bias", [4], { init: zero });
    scope.at("encoder.layer").at(0).param("weight", [2, 4], { init: zero });
    scope.param("temperature", [], { init: zero });
    expect([...scope.parameters.keys()]).toEqual(["encoder.layer.1.bias", "encoder.layer.0.weight", "temperature"]);
    expect(countParameters(scope.parameters)).toBe(13);
  });

  it("gives the same tensor for a name, whoever asks", () => {
    const scope = rootScope(new Graph());
    const first = scope.at("table").param("weight", [3, 2], { init: { kind: "ones" } });
    expect(scope.at("table").param("weight", [3, 2], { init: zero })).toBe(first);
    expect(scope.parameters.get("table.weight")).toEqual({
      name: "table.weight",
      kind: "matrix",
      shape: [3, 2],
      init: { kind: "ones" },
      tensor: first,
    });
  });

  it("refuses another shape for a name, and says both", () => {
    const scope = rootScope(new Graph());
    scope.at("a").param("weight", [3, 2], { init: zero });
    expect(() => scope.at("a").param("weight", [2, 3], { init: zero })).toThrow(/"a\.weight".*\[3, 2\].*\[2, 3\]/);
  });

  it("shares parameters with another scope over the same graph by name", () => {
    const graph = new Graph();
    expect(rootScope(graph).param("w", [2], { init: zero })).toBe(rootScope(graph).param("w", [2], { init: zero }));
  });

  it("puts all names below its path", () => {
    const scope = rootScope(new Graph(), { path: "generator" });
    scope.at("lm_head").param("bias", [2], { init: zero });
    expect([...scope.parameters.keys()]).toEqual(["generator.lm_head.bias"]);
  });

  it("makes nodes remember their layer", () => {
    const scope = rootScope(new Graph());
    const x = scope.graph.input("x", "f32", [2, 3]);
    expect(linear(scope.at("head.dense"), x, 4).path).toBe("head.dense");
    expect(scope.graph.path).toBe("");
  });

  it("gives every layer a dropout stream of its own", () => {
    const scope = rootScope(new Graph());
    expect(scope.at("a").stream).toBe(scope.at("a").stream);
    expect(scope.at("a").stream).not.toBe(scope.at("b").stream);
  });
});

describe("parametersOf", () => {
  it("traces names and shapes without values", () => {
    const parameters = parametersOf((scope) => linear(scope.at("dense"), scope.graph.input("x", "f32", [1, 2, 5]), 7));
    expect([...parameters.values()].map((p) => [p.name, p.shape])).toEqual([
      ["dense.weight", [7, 5]],
      ["dense.bias", [7]],
    ]);
  });

  it("says of a parameter what it is, and how deep it lies, by the place of its scope", () => {
    const scope = rootScope(new Graph());
    const embeddings = scope.at("embeddings", { depth: 0 });
    embeddings.at("words").param("weight", [4, 2], { init: zero, kind: "table" });
    embeddings.at("norm").param("weight", [2], { init: zero });
    const layer = scope.at("layer").at(3, { depth: 4 });
    layer.at("attention.output").param("weight", [2, 2], { init: zero });
    layer.at("attention").param("qkv", [6, 2], { init: zero, stacked: 3 });
    layer.at("attention").param("r_w_bias", [2, 1], { init: zero, kind: "vector" });
    scope.at("head", HEAD).at("dense").param("weight", [2, 2], { init: zero });
    scope.at("head", HEAD).param("bias", [2], { init: zero });
    expect(
      [...scope.parameters.values()].map(({ name, kind, depth, stacked }) => [name, kind, depth, stacked]),
    ).toEqual([
      ["embeddings.words.weight", "table", 0, undefined],
      ["embeddings.norm.weight", "vector", 0, undefined],
      ["layer.3.attention.output.weight", "matrix", 4, undefined],
      ["layer.3.attention.qkv", "matrix", 4, 3],
      ["layer.3.attention.r_w_bias", "vector", 4, undefined],
      ["head.dense.weight", "head", undefined, undefined],
      ["head.bias", "vector", undefined, undefined],
    ]);
  });
});
