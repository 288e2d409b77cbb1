/** The logits of the prediction slots: the model's states at the slots' positions, through its masked-LM head. */
import type { Tensor } from "@cloze/graph";
import { encoderInputsOf, slotScope, type MaskedLm, type Scope } from "@cloze/nn";
import type { PredictedTokens } from "./token-loss.ts";

/**
 * Reads the feeds of `encoderFeeds` and `slotFeeds`. Shapes: logits f32 [slots, vocab], targets i32 [slots], weights
 * f32 [slots].
 */
export function predictSlots(scope: Scope, model: MaskedLm, feeds: Readonly<Record<string, Tensor>>): PredictedTokens {
  const {
    "slots.index": index,
    "slots.target": targets,
    "slots.weight": weights,
  } = feeds as Readonly<Record<string, Tensor>> as {
    readonly "slots.index": Tensor<"i32">;
    readonly "slots.target": Tensor<"i32">;
    readonly "slots.weight": Tensor<"f32">;
  };
  const inputs = encoderInputsOf(feeds);
  const states = model.encode(scope, inputs).reshape([-1, model.hidden]).gather(index);
  const slots = slotScope(scope, inputs.ids.shape as [number, number], index);
  return { logits: model.predict(slots, states), targets, weights };
}
