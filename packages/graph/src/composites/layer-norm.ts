/**
 * LayerNorm: y = (x - mean) * rstd * weight + bias over the last axis, rstd = 1 / sqrt(var + eps), biased variance.
 *
 * Outputs y, mean and rstd (last axis kept with size 1). The gradient needs mean and rstd. Own gradient, with
 * n = x̂ = (x - mean) rstd and g = ct * weight:  dx = rstd * (g - mean(g) - n * mean(g * n)).
 * Source: Ba et al. 2016, arXiv:1607.06450.
 */
import { call, composite, type Composite } from "../composite.ts";
import { dims } from "../dims.ts";
import { showType } from "../dtype.ts";
import { ShapeError } from "../errors.ts";
import type { Tensor } from "../tensor.ts";

type NormParams = { readonly eps: number };

export const layerNormComposite: Composite = composite<NormParams>({
  name: "layerNorm",
  expand: (args, { eps }) => {
    const [x, weight, bias] = args as [Tensor, Tensor, Tensor];
    const mean = x.mean(-1, true);
    const centred = x.sub(mean);
    const rstd = x.graph.const(1, x.dtype).div(centred.square().mean(-1, true).add(eps).sqrt());
    return [centred.mul(rstd).mul(weight).add(bias), mean, rstd];
  },
  vjp: (cts, outputs, args) => {
    const [x, weight, bias] = args as [Tensor, Tensor, Tensor];
    const [, mean, rstd] = outputs as [Tensor, Tensor, Tensor];
    const ct = cts[0];
    if (ct === undefined || cts[1] !== undefined || cts[2] !== undefined) return undefined;
    const n = x.sub(mean).mul(rstd);
    const g = ct.mul(weight);
    const leading = x.shape.map((_, i) => i).slice(0, -1);
    const dx = rstd.mul(g.sub(g.mean(-1, true)).sub(n.mul(g.mul(n).mean(-1, true))));
    return [dx, ct.mul(n).sum(leading).reshape(weight.shape), ct.sum(leading).reshape(bias.shape)];
  },
});

/**
 * RMSNorm: x / sqrt(mean(x^2) + eps) * weight over the last axis. Source: Zhang and Sennrich 2019, arXiv:1910.07467.
 */
export const rmsNormComposite: Composite = composite<NormParams>({
  name: "rmsNorm",
  expand: ([x, weight], { eps }) => {
    const input = x as Tensor;
    const rstd = input.graph.const(1, input.dtype).div(input.square().mean(-1, true).add(eps).sqrt());
    const y = input.mul(rstd);
    return [weight ? y.mul(weight) : y, rstd];
  },
  vjp: ([ct, ctRstd], [, rstd], [x, weight]) => {
    if (ct === undefined || ctRstd !== undefined) return undefined;
    const input = x as Tensor;
    const r = rstd as Tensor;
    const n = input.mul(r);
    const g = weight ? ct.mul(weight) : ct;
    const dx = r.mul(g.sub(n.mul(g.mul(n).mean(-1, true))));
    return weight
      ? [
          dx,
          ct
            .mul(n)
            .sum(input.shape.map((_, i) => i).slice(0, -1))
            .reshape(weight.shape),
        ]
      : [dx];
  },
});

function checkGain(op: string, x: Tensor, gains: Readonly<Record<string, Tensor>>): void {
  const hidden = x.shape.at(-1);
  if (hidden === undefined)
    throw new ShapeError({ op, path: x.graph.path, expected: "at least one axis", got: showType(x) });
  for (const [name, gain] of Object.entries(gains)) dims(`${op}(${name})`, gain, "hidden", { hidden });
}

/**
 * Layer normalisation over the last axis.
 *
 * Shapes: x `[..., hidden]`, weight and bias `[hidden]`, f32 -> like x.
 */
export function layerNorm(x: Tensor<"f32">, weight: Tensor<"f32">, bias: Tensor<"f32">, eps = 1e-5): Tensor<"f32"> {
  checkGain("layerNorm", x, { weight, bias });
  return call(layerNormComposite, [x, weight, bias], { eps })[0] as Tensor<"f32">;
}

/**
 * RMS normalisation over the last axis, with or without gain. Shapes: x `[..., hidden]`, weight `[hidden]` -> like x.
 */
export function rmsNorm(x: Tensor<"f32">, weight?: Tensor<"f32">, eps = 1e-6): Tensor<"f32"> {
  checkGain("rmsNorm", x, weight ? { weight } : {});
  return call(rmsNormComposite, weight ? [x, weight] : [x], { eps })[0] as Tensor<"f32">;
}
