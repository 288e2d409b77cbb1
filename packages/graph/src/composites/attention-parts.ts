/** The params of the attention composites, and their args by name. */
import type { Tensor } from "../tensor.ts";

/** Optional tensors follow q, k, v in `args`, in this order. */
export const EXTRAS = ["keyPadding", "segments", "bias", "key"] as const;
export type Extra = (typeof EXTRAS)[number];

export type AttentionParams = {
  readonly scale: number;
  readonly causal: boolean;
  /** Largest |i - j| at which positions see each other, or null for no window. */
  readonly window: number | null;
  readonly softcap: number | null;
  readonly dropoutRate: number;
  readonly dropoutStream: number;
  /** Names of the optional tensors in `args`. */
  readonly extras: readonly string[];
};

export interface Parts {
  readonly q: Tensor<"f32">;
  readonly k: Tensor<"f32">;
  readonly v: Tensor<"f32">;
  readonly extra: Partial<Record<Extra, Tensor>>;
}

export function partsOf(args: readonly Tensor[], { extras }: AttentionParams): Parts {
  const [q, k, v] = args as [Tensor<"f32">, Tensor<"f32">, Tensor<"f32">];
  return { q, k, v, extra: Object.fromEntries(extras.map((name, i) => [name, args[3 + i]])) };
}
