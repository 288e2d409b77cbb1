// The further terms of the token loss, against PyTorch and by hand. The loss itself must stay the cross entropy.
import { readFileSync } from "node:fs";
import { grad, Graph, interpret, type Tensor } from "@cloze/graph";
import { describe, expect, it } from "vitest";
import { shareFeed, tokenLoss, totalLoss, type LossTerms, type TokenLossOptions } from "../src/index.ts";

interface Case {
  readonly smoothing: number;
  readonly logits: readonly (readonly number[])[];
  readonly targets: readonly number[];
  readonly losses: readonly number[];
  readonly gradient: readonly (readonly number[])[];
}
const cases = JSON.parse(
  readFileSync(new URL("golden/label-smoothing.json", import.meta.url), "utf8"),
) as readonly Case[];

interface Traced {
  readonly terms: LossTerms;
  readonly logits: Tensor<"f32">;
  /** The loss to minimise. */
  readonly total: Tensor<"f32">;
  evaluate(tensors: readonly Tensor[]): number[][];
}

/** The loss of rows of logits. `given`: weights of the rows, and the divisor of their sum. */
function traced(
  options: TokenLossOptions,
  { logits, targets }: Pick<Case, "logits" | "targets">,
  given?: { readonly weights: readonly number[]; readonly divisor: number },
): Traced {
  const n = targets.length;
  const vocab = (logits[0] as readonly number[]).length;
  const graph = new Graph();
  const judge = tokenLoss("test", options);
  const x = graph.input("x", "f32", [n, vocab]);
  const targetIds = graph.input("targets", "i32", [n]);
  const weights = graph.input("weights", "f32", [n]);
  const divisor = graph.input("divisor", "f32", []);
  const terms = judge.terms({ logits: x, targets: targetIds, weights, ...(given && { weight: divisor }) });
  const each = given?.weights ?? targets.map(() => 1);
  const predicted = each.filter((w) => w > 0).length;
  const totals = judge.weights(predicted, given?.divisor);
  const shares = Object.fromEntries(
    Object.keys(totals).map((term) => [shareFeed(term), graph.input(shareFeed(term), "f32", [])]),
  );
  const env = {
    x: logits.flat(),
    targets,
    weights: each,
    divisor: [given?.divisor ?? 0],
    ...Object.fromEntries(Object.entries(totals).map(([term, total]) => [shareFeed(term), [1 / total]])),
  };
  const { sum, weight } = totalLoss(terms, shares);
  return {
    terms,
    logits: x,
    total: weight === undefined ? sum : sum.div(weight),
    evaluate: (tensors) => interpret(tensors, env, { precision: "f64" }).map(({ data }) => Array.from(data)),
  };
}

const sumOf = (x: readonly number[]): number => x.reduce((n, v) => n + v, 0);
const logSumExp = (row: readonly number[]): number => {
  const top = Math.max(...row);
  return top + Math.log(sumOf(row.map((z) => Math.exp(z - top))));
};

describe("label smoothing", () => {
  it.each(cases.map((c) => [c.smoothing, c.targets.length, c.logits[0]?.length, c] as const))(
    "of %d over %i rows of %i is PyTorch's, and so is its gradient",
    (smoothing, n, _, golden) => {
      const { total, logits, evaluate } = traced({ labelSmoothing: smoothing }, golden);
      const [[value] = [], gradient = []] = evaluate([total, grad(total, [logits])[0] as Tensor]);
      expect(value).toBeCloseTo(sumOf(golden.losses) / n, 12);
      golden.gradient.flat().forEach((expected, i) => expect(gradient[i]).toBeCloseTo(expected / n, 12));
    },
  );

  it("is weighed as the cross entropy is", () => {
    const golden = cases[1] as Case;
    const weights = [2, 0, 0.5, 4, 1];
    const { total, evaluate } = traced({ labelSmoothing: golden.smoothing }, golden, { weights, divisor: 20 });
    expect(evaluate([total])[0]?.[0]).toBeCloseTo(
      sumOf(golden.losses.map((loss, i) => loss * (weights[i] as number))) / 20,
      12,
    );
  });
});

describe("z-loss", () => {
  const { logits, targets } = cases[2] as Case;
  const n = targets.length;
  const crossEntropies = logits.map((row, i) => logSumExp(row) - (row[targets[i] as number] as number));
  const squares = logits.map((row) => logSumExp(row) ** 2);

  it("adds the weighed mean of logSumExp^2, with the gradient 2 logSumExp softmax", () => {
    const { total, logits: x, evaluate } = traced({ zLoss: 0.01 }, { logits, targets });
    const [[value] = [], gradient = []] = evaluate([total, grad(total, [x])[0] as Tensor]);
    expect(value).toBeCloseTo((sumOf(crossEntropies) + 0.01 * sumOf(squares)) / n, 12);
    const expected = logits.flatMap((row, i) =>
      row.map((z, k) => {
        const lse = logSumExp(row);
        const p = Math.exp(z - lse);
        return (p - (targets[i] === k ? 1 : 0) + 0.01 * 2 * lse * p) / n;
      }),
    );
    expected.forEach((each, i) => expect(gradient[i]).toBeCloseTo(each, 12));
  });

  it("is a mean over the predicted tokens, whatever their weights", () => {
    const weights = [3, 0, 0.25, 8];
    const { total, evaluate } = traced({ zLoss: 0.01 }, { logits, targets }, { weights, divisor: 10 });
    const mean = sumOf(squares.filter((_, i) => weights[i] !== 0)) / 3;
    expect(evaluate([total])[0]?.[0]).toBeCloseTo(
      sumOf(crossEntropies.map((ce, i) => ce * (weights[i] as number))) / 10 + 0.01 * mean,
      12,
    );
  });
});

describe("the token loss", () => {
  const golden = cases[1] as Case;

  it("has the cross entropy for its loss, whatever training adds, and the parts beside it", () => {
    const { terms, evaluate } = traced({ labelSmoothing: 0.3, zLoss: 1 }, golden);
    const plain = traced({}, golden);
    expect(Object.keys(terms.further ?? {})).toEqual(["labelSmoothing", "zLoss"]);
    expect(Object.keys(terms.metrics)).toEqual(["accuracy", "zLoss", "crossEntropy"]);
    expect(evaluate([terms.loss.sum, terms.loss.weight])).toEqual(
      plain.evaluate([plain.terms.loss.sum, plain.terms.loss.weight]),
    );
    expect(terms.metrics["crossEntropy"]).toBe(terms.loss);
  });

  it("is one term without options, so that nothing is divided twice", () => {
    const { terms } = traced({}, golden);
    expect([
      terms.further,
      Object.keys(terms.metrics),
      tokenLoss("test").options,
      tokenLoss("test").weights(7),
    ]).toEqual([{}, ["accuracy"], {}, { loss: 7 }]);
  });

  it.each<[TokenLossOptions, RegExp]>([
    [{ labelSmoothing: 1 }, /^test: labelSmoothing: expected a share from 0 to below 1, got 1\./],
    [{ labelSmoothing: -0.1 }, /got -0\.1/],
    [{ zLoss: -1 }, /^test: zLoss: expected a weight of 0 or more, got -1\./],
    [{ zLoss: "1e-4" as never }, /zLoss: expected a weight of 0 or more, got 1e-4/],
  ])("refuses %j", (options, message) => expect(() => tokenLoss("test", options)).toThrow(message));
});
