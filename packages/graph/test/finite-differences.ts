/** Gradients against central differences in f64: of an op alone, and of the op in the middle of a graph. */
import { expect } from "vitest";
import { grad, Graph, interpret, isFloat, isOp, lower, order, program, type Node, type Tensor } from "../src/index.ts";

export type Env = Readonly<Record<string, readonly number[]>>;

/**
 * A function from its declared inputs to one tensor or more. A case must use the result of `read` in place of an input.
 */
export type Build = (g: Graph, read: (x: Tensor) => Tensor) => Tensor | readonly Tensor[];

const EXACT = { precision: "f64" } as const;
/** Fixed numbers of mixed sign, without special values. */
export const noise = (i: number): number => Math.sin(12.9898 * (i + 1)) * 1.7 + 0.1;

export const floatInputs = (roots: readonly Tensor[]): Node<"input">[] =>
  order(roots).filter(
    (x): x is Node<"input"> => isOp(x, "input") && isFloat(x.dtype) && !x.attrs.name.startsWith("weight:"),
  );

/**
 * The sum of y_i * weight_i over all float outputs. The weights are inputs, so every output element has its own
 * cotangent.
 */
function weighted(g: Graph, ys: readonly Tensor[], env: Record<string, readonly number[]>): Tensor {
  const parts = ys
    .filter((y) => isFloat(y.dtype))
    .map((y, i) => {
      const name = `weight:${i}`;
      env[name] = Array.from({ length: y.shape.reduce((n, d) => n * d, 1) }, (_, j) => noise(j + 31 * i));
      return y
        .cast("f32")
        .mul(g.input(name, "f32", y.shape))
        .sum();
    });
  return parts.reduce((a, b) => a.add(b));
}

const list = (ys: Tensor | readonly Tensor[]): readonly Tensor[] =>
  Array.isArray(ys) ? (ys as readonly Tensor[]) : [ys as Tensor];

/** The op alone under a weighted sum. */
export function alone(build: Build, env: Env): { readonly loss: Tensor; readonly env: Env } {
  const g = new Graph();
  const full: Record<string, readonly number[]> = { ...env };
  return { loss: weighted(g, list(build(g, (x) => x)), full), env: full };
}

/**
 * The op in the middle of a graph. Each input passes through a nonlinear op that keeps its sign and order. Every output
 * has two readers and passes through other ops. Another branch shares the inputs.
 */
export function inTheMiddle(build: Build, env: Env): { readonly loss: Tensor; readonly env: Env } {
  const g = new Graph();
  const full: Record<string, readonly number[]> = { ...env };
  const bent = (x: Tensor): Tensor => (isFloat(x.dtype) ? x.add(x.mul(0.3).sin().mul(0.2)) : x);
  const ys = list(build(g, bent)).filter((y) => isFloat(y.dtype));
  const once = weighted(
    g,
    ys.map((y) => y.mul(0.5).tanh()),
    full,
  );
  const twice = ys.map((y) => y.mul(y.mul(0.3).cos()).sum().cast("f32")).reduce((a, b) => a.add(b));
  const branch = floatInputs(ys)
    .map((x) => x.mul(bent(x)).sum().mul(0.1).cast("f32"))
    .reduce((a, b) => a.add(b), g.const(0, "f32"));
  return { loss: once.add(twice).add(branch), env: full };
}

const value = (x: Tensor, env: Env): number => interpret([x], env, EXACT)[0]?.data[0] as number;

/** Compares grad(loss) with central differences, before and after lowering. */
export function checkGradient({ loss, env }: { readonly loss: Tensor; readonly env: Env }, tolerance = 2e-7): void {
  const inputs = floatInputs([loss]);
  const grads = grad(loss, inputs);
  expect(inputs.length, "inputs to differentiate by").toBeGreaterThan(0);
  const got = interpret(grads, env, EXACT);
  const lowered = lower(
    program(loss.graph, { state: [], outputs: Object.fromEntries(grads.map((d, i) => [`${i}`, d])) }),
    { check: true },
  );
  const again = interpret(Object.values(lowered.outputs), env, EXACT);
  inputs.forEach((x, k) => {
    const name = x.attrs.name;
    const at = env[name] as readonly number[];
    const h = 1e-5;
    at.forEach((_, i) => {
      const moved = (by: number): number => value(loss, { ...env, [name]: at.map((v, j) => (j === i ? v + by : v)) });
      const difference = (8 * (moved(h) - moved(-h)) - (moved(2 * h) - moved(-2 * h))) / (12 * h);
      const is = got[k]?.data[i] as number;
      expect(
        Math.abs(is - difference),
        `d loss / d ${name}[${i}]: grad ${is}, finite difference ${difference}`,
      ).toBeLessThanOrEqual(tolerance * Math.max(1, Math.abs(difference)));
      expect(Math.abs((again[k]?.data[i] as number) - is), `d ${name}[${i}] after lowering`).toBeLessThanOrEqual(
        1e-11 * Math.max(1, Math.abs(is)),
      );
    });
  });
}
