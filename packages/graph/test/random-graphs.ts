/**
 * Random graphs over the op set, by seed, with many targets of rewrite rules: neutral elements, chains of movement ops,
 * casts, detach.
 */
import { Graph, gelu, layerNorm, softmax, type DType, type Tensor } from "../src/index.ts";
import { RandomStream } from "@cloze/random";

type T = Tensor<"f32">;

export function randomGraph(
  seed: number,
  length: number,
): {
  readonly roots: readonly Tensor[];
  readonly graph: Graph;
  readonly env: Readonly<Record<string, readonly number[]>>;
} {
  const graph = new Graph();
  const stream = new RandomStream(seed);
  let draws = 0;
  const below = (n: number): number => stream.below(n, draws++);
  const real = (): number => 3 * stream.uniform(draws++) - 1.5;
  const env: Record<string, number[]> = { x: [], y: [], z: [], s: [] };
  const input = (name: string, shape: readonly number[]): T => {
    env[name] = Array.from({ length: shape.reduce((n, d) => n * d, 1) }, real);
    return graph.input(name, "f32", shape);
  };
  const made: T[] = [input("x", [2, 3]), input("y", [3]), input("z", [2, 1, 3]), input("s", [])];
  const pick = (): T => made[below(made.length)] as T;
  const constant = (): T => graph.const([0, 1, -1, 0.5, 2, -0][below(6)] as number, "f32");
  const matrix = (): T => {
    const x = pick();
    return x.rank >= 2 ? x : x.rank === 1 ? x.reshape([1, -1]) : x.reshape([1, 1]);
  };
  const axis = (x: T): number => below(x.rank);
  /** Two tensors that broadcast together: the second tensor as it is, or its sum. */
  const pair = (f: (a: T, b: T) => T): T => {
    const a = pick();
    const b = pick();
    try {
      return f(a, b);
    } catch {
      return f(a, b.sum());
    }
  };
  const moves: readonly (() => T)[] = [
    () => pair((a, b) => a.add(b)),
    () => pair((a, b) => a.sub(b)),
    () => pair((a, b) => a.mul(b).tanh()),
    () => pair((a, b) => a.div(b.square().add(1))),
    () => pair((a, b) => a.max(b)),
    () => pair((a, b) => a.min(b)),
    () => pair((a, b) => a.less(b).select(a, b)),
    () => pair((a, b) => a.equal(b).or(a.less(b)).not().select(a, 0)),
    () => pick().add(constant()),
    () => pick().sub(constant()),
    () => pick().mul(constant()),
    () => pick().div(graph.const([1, 2, -1][below(3)] as number, "f32")),
    () => constant().add(constant()),
    () => constant().mul(constant()).sub(constant()),
    () => constant().neg(),
    () => pick().neg(),
    () => pick().neg().neg(),
    () => pair((a, b) => a.add(b.neg())),
    () => pair((a, b) => a.sub(b.neg())),
    () => pick().tanh(),
    () => pick().sin(),
    () => pick().cos(),
    () => pick().erf(),
    () => pick().abs().sqrt(),
    () => pick().tanh().exp(),
    () => pick().abs().add(0.5).log(),
    () => pick().floor(),
    () => graph.const(below(5) - 2, "i32").cast("f32"),
    () => pick().cast("f16").cast("f32").cast("f16").cast("f32"),
    () => {
      const x = pick();
      return x
        .broadcast([2, ...x.shape])
        .broadcast([2, 2, ...x.shape])
        .sum([0, 1])
        .mul(0.25);
    },
    () => pick().detach(),
    () => pick().detach().detach(),
    () =>
      pick()
        .cast((["i32", "f32", "bool"] as const)[below(3)] as DType)
        .cast("f32") as T,
    () => graph.node("cast", [pick()], { dtype: "f32" }) as Tensor as T,
    () => {
      const x = pick();
      return x.reshape([...x.shape, 1]).reshape(x.shape);
    },
    () => {
      const x = pick();
      return x.reshape([-1]);
    },
    () => {
      const x = matrix();
      return x.transpose();
    },
    () => {
      const x = matrix();
      return x.transpose().transpose();
    },
    () => {
      const x = pick();
      return x.permute(x.shape.map((_, i) => x.rank - 1 - i));
    },
    () => {
      const x = pick();
      return x.broadcast(x.shape);
    },
    () => {
      const x = pick();
      return x.rank < 4
        ? x
            .broadcast([2, ...x.shape])
            .sum(0)
            .mul(0.5)
        : x;
    },
    () => {
      const x = matrix();
      const a = axis(x);
      return x.sum(a, true).mul(0.3);
    },
    () => {
      const x = matrix();
      const a = axis(x);
      return x.reduceMax(a, below(2) === 0);
    },
    () => matrix().argMax(0).cast("f32").mul(0.1),
    () => {
      const x = matrix();
      const a = axis(x);
      const n = x.shape[a] as number;
      return x.slice(a, 0, n).slice(a, 0, Math.max(1, n - 1));
    },
    () => {
      const x = pick();
      return x.pad(
        x.shape.map(() => 0),
        x.shape.map(() => 0),
      );
    },
    () => {
      const x = matrix();
      return x
        .pad(
          x.shape.map((_, i) => (i === 0 ? 1 : 0)),
          x.shape.map(() => 0),
          0.5,
        )
        .slice(0, 1, 1 + (x.shape[0] as number));
    },
    () => {
      const x = matrix();
      return x.concat([x.mul(0.5)], 0).slice(0, 0, x.shape[0] as number);
    },
    () => graph.node("concat", [matrix()], { axis: 0 }) as Tensor as T,
    () => {
      const x = matrix();
      return x.matmul(x, { transposeB: true }).mul(0.1).tanh();
    },
    () => {
      const x = matrix();
      return x.transpose().matmul(x).mul(0.1).tanh();
    },
    () => {
      const x = matrix();
      return x.matmul(x.transpose()).mul(0.1).tanh();
    },
    () => {
      const x = matrix();
      return x.gather(graph.iota([2], 0).min(graph.const((x.shape[0] as number) - 1, "i32")));
    },
    () => {
      const x = matrix();
      const n = x.shape[0] as number;
      return x.scatterAdd(graph.iota([n], 0), n + 1);
    },
    () => softmax(matrix()),
    () => gelu(pick()),
    () => {
      const x = matrix();
      const w = x.slice(0, 0, 1).reshape([-1]);
      const n = x.shape.at(-1) as number;
      return layerNorm(x, w.slice(0, 0, n), w.slice(0, 0, n), 0.1).tanh();
    },
  ];
  for (let i = 0; i < length; i++) {
    const next = (moves[below(moves.length)] as () => T)();
    if (next.shape.reduce((n, d) => n * d, 1) <= 200 && next.rank <= 5) made.push(next);
  }
  return { graph, env, roots: made.slice(-3) };
}
