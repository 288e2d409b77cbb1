/** Random graphs with bounded values, by seed. They hold combinations of ops that no hand-written case has. */
import { Graph, layerNorm, softmax, type Tensor } from "@cloze/graph";
import { uniform } from "./draw.ts";

type T = Tensor<"f32">;

/**
 * A graph of `length` random moves over three inputs. A move is a few ops that keep values of order 1. Two outputs:
 * `total`, a scalar (the mean square of the sum of the last four tensors), and `last`, the last tensor.
 */
export function randomGraph(
  seed: number,
  length: number,
): { readonly graph: Graph; readonly outputs: Readonly<Record<string, Tensor>>; readonly inputs: readonly T[] } {
  const graph = new Graph();
  let draws = 0;
  const below = (n: number): number => Math.floor(uniform(seed, draws++) * n);
  const inputs: T[] = [
    graph.input("x", "f32", [4, 6]),
    graph.input("y", "f32", [4, 6]),
    graph.input("z", "f32", [6, 6]),
  ];
  const made: T[] = [...inputs];
  const pick = (): T => made[Math.max(0, made.length - 1 - below(6))] as T;
  /** Brings a tensor of any shape to [4, 6]. */
  const fitted = (x: T): T => {
    if (x.shape.join() === "4,6") return x;
    if (x.rank !== 2) return x.reshape([1, -1]).sum(-1, true).mul(0.1).tanh().broadcast([4, 6]);
    const [rows, columns] = x.shape as [number, number];
    const r = Math.min(rows, 4);
    const c = Math.min(columns, 6);
    return x
      .slice(0, 0, r)
      .slice(1, 0, c)
      .pad([0, 0], [4 - r, 6 - c], 0.5);
  };
  const moves: readonly (() => T)[] = [
    () => fitted(pick()).add(fitted(pick())).mul(0.5),
    () => fitted(pick()).mul(fitted(pick())).tanh(),
    () => fitted(pick()).sub(fitted(pick())).sin(),
    () => fitted(pick()).div(fitted(pick()).square().add(1)),
    () => pick().tanh(),
    () => pick().mul(0.7).exp().add(1).log(),
    () => pick().square().add(0.5).sqrt(),
    () => pick().erf().neg(),
    () => pick().cos(),
    () => {
      const x = fitted(pick());
      const y = fitted(pick());
      return x.less(y.add(0.01)).select(x, y.mul(0.3));
    },
    () => {
      const x = fitted(pick());
      return x.sub(x.mean(-1, true));
    },
    () => fitted(pick()).sum(0, true).mul(0.3),
    () =>
      fitted(pick())
        .matmul(inputs[2] as T)
        .mul(0.3)
        .tanh(),
    () => fitted(pick()).matmul(fitted(pick()), { transposeB: true }).mul(0.2).tanh(),
    () => pick().transpose(),
    () => {
      const x = pick();
      return x.reshape([x.shape[1] as number, x.shape[0] as number]);
    },
    () => {
      const x = fitted(pick());
      return x.slice(1, 1, 4).concat([x.slice(1, 0, 3)], 1);
    },
    () => fitted(pick()).pad([1, 0], [0, 2], 0.25),
    () => softmax(pick()),
    () =>
      layerNorm(
        fitted(pick()),
        inputs[0]?.slice(0, 1, 2).reshape([6]) as T,
        inputs[1]?.slice(0, 2, 3).reshape([6]) as T,
        1e-2,
      ).mul(0.5),
    () =>
      fitted(pick())
        .gather(graph.iota([3], 0))
        .scatterAdd(graph.iota([3], 0), 5),
  ];
  for (let i = 0; i < length; i++) made.push((moves[below(moves.length)] as () => T)());
  const last = made.slice(-4).map(fitted);
  const total = last
    .reduce((a, b) => a.add(b))
    .square()
    .mean();
  return { graph, inputs, outputs: { total, last: made.at(-1) as T } };
}
