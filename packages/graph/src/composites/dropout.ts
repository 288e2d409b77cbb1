/**
 * Dropout: sets each element to zero with probability `rate` and scales all other elements by 1 / (1 - rate).
 *
 * The mask is a function of (key, stream, element), so the backward pass draws the mask again and does not store it.
 * With a key for each row, the mask of a row depends neither on the other rows nor on padding (`random-bits.ts`).
 * Source: Srivastava et al. 2014, JMLR 15.
 */
import { ConfigError } from "@cloze/errors";
import { call1, composite, type Composite } from "../composite.ts";
import type { Shape } from "../dtype.ts";
import type { Tensor } from "../tensor.ts";

type DropoutParams = { readonly rate: number; readonly stream: number };

/** f32 factors, each 0 or 1 / (1 - rate). The draw is 24 random bits an element: exact in f32. */
export function dropoutMask(shape: Shape, key: Tensor<"u32">, rate: number, stream: number): Tensor<"f32"> {
  const drawn = key.graph.node("randomBits", [key], { shape, bits: 24, stream }).cast("f32");
  return drawn.less(rate * 2 ** 24).select(key.graph.const(0, "f32"), 1 / (1 - rate));
}

export const dropoutComposite: Composite = composite<DropoutParams>({
  name: "dropout",
  expand: ([x, key], { rate, stream }) => [
    (x as Tensor).mul(dropoutMask((x as Tensor).shape, key as Tensor<"u32">, rate, stream).cast((x as Tensor).dtype)),
  ],
  vjp: ([ct], _, [, key], params) => [call1(dropoutComposite, [ct as Tensor, key as Tensor], params), undefined],
});

/**
 * Shapes: x `[n, ...]` float, key u32 `[n, 2]`, a key for each row, or u32 `[2]` = (seed, step) -> like x. `stream`
 * separates layers: the same key and stream give the same mask.
 */
export function dropout(
  x: Tensor<"f32">,
  options: { readonly rate: number; readonly stream: number; readonly key: Tensor<"u32"> },
): Tensor<"f32"> {
  const { rate, stream, key } = options;
  if (!(rate >= 0 && rate < 1)) throw new ConfigError(`dropout: expected a rate in [0, 1), got ${rate}`);
  return rate === 0 ? x : (call1(dropoutComposite, [x, key], { rate, stream }) as Tensor<"f32">);
}
