/** The page's models, and the objective and the optimizer for the settings of a run. */
import { esm2ConfigJson, esm2Configs } from "@cloze/models/esm2";
import { headParameters, openModel, type Head, type OpenedModel } from "@cloze/models/families";
import type { Parameter } from "@cloze/nn";
import { composeObjectives, type AnyModel, type Objective } from "@cloze/objective";
import { mlm } from "@cloze/objective-mlm";
import { adamw, byParameter, lamb, muon, muonRules, stableAdamw, type Optimizer } from "@cloze/optim";
import type { Tokenizer } from "@cloze/tokenizer";
import type { ModelSource } from "@cloze/trainer/step";
import type { Settings, Side, Size } from "../protocol.ts";

/** Changes to ESM-2 8M for each size. A small encoder learns faster from larger initial weights. */
const PROTEIN: Readonly<Record<Size, Partial<(typeof esm2Configs)["esm2-8m"]>>> = {
  tiny: { hidden: 64, layers: 2, heads: 4, intermediate: 256, initializerRange: 0.1 },
  small: { hidden: 128, layers: 4, heads: 4, intermediate: 512, initializerRange: 0.06 },
  medium: {},
};
const TEXT = { tiny: "bert-tiny", small: "bert-mini", medium: "bert-small" } as const;

/** The config.json of a new model. Dropout is off, because a model in this page sees its data only a few times. */
export async function newConfig(side: Side, size: Size): Promise<unknown> {
  if (side === "protein") return esm2ConfigJson({ ...esm2Configs["esm2-8m"], ...PROTEIN[size] });
  const { bertConfigJson, bertConfigs } = await import("@cloze/models/bert");
  return bertConfigJson({ ...bertConfigs[TEXT[size]], hiddenDropoutRate: 0, attentionDropoutRate: 0 });
}

export interface Model {
  readonly opened: OpenedModel;
  readonly source: ModelSource<AnyModel>;
  /** All parameters in the model's checkpoint. */
  readonly parameters: ReadonlyMap<string, Parameter>;
}

export async function modelOf(
  config: unknown,
  name: string,
  objective: Objective,
  tokenizer: Tokenizer,
): Promise<Model> {
  const opened = await openModel(config, {
    vocab: tokenizer.vocabulary.length,
    special: tokenizer.special,
    zeroInitHead: true,
  });
  const { model, buffers, maxLength, extraParameters } = opened;
  const head: Head = objective.requires as Head;
  return {
    opened,
    source: { name, model, buffers, maxLength, extraParameters, configText: opened.configText({ head }) },
    parameters: new Map([...headParameters(model, head, opened.labels.length, name), ...extraParameters]),
  };
}

export async function objectiveOf({ objective }: Settings, tokenizer: Tokenizer): Promise<Objective> {
  switch (objective) {
    case "mlm":
      return mlm(tokenizer);
    case "mlm-30":
      return mlm(tokenizer, { rate: 0.3 });
    case "mlm+nsp":
      return composeObjectives([mlm(tokenizer), (await import("@cloze/objective-nsp")).nsp(tokenizer)]);
  }
}

/** The optimizer, with `cloze pretrain`'s values. With Muon, `lr` is the matrices' rate; AdamW's peak rate is 4e-4. */
export function optimizerOf({ optimizer, lr }: Settings): Optimizer {
  const adam = { beta1: 0.9, beta2: 0.98, weightDecay: 0.01 };
  switch (optimizer) {
    case "adamw":
      return adamw(adam);
    case "stable-adamw":
      return stableAdamw(adam);
    case "lamb":
      return lamb(adam);
    case "muon":
      return byParameter(
        muonRules({ matrices: muon({ weightDecay: adam.weightDecay }), rest: adamw(adam), lrScale: 4e-4 / lr }),
      );
  }
}
