/**
 * Reading of a checkpoint's tensors as the parameters of a model, with the rules of transformers: old names, tied
 * copies, a bare encoder without the prefix of the surrounding model. Heads may be missing; only the use of a missing
 * head is an error. An encoder tensor that the model does not have is an error at once. The tensors may come from a
 * file, a browser's fetch, or any other store with names and shapes.
 */
import { FormatError } from "@cloze/errors";
import { sameShape, showShape, type HostTensor, type HostTensors, type Shape } from "@cloze/graph";
import { encoderInputs, parametersOf, type Parameter } from "@cloze/nn";
import type { OpenedModel } from "./family.ts";
import { hasHead, headNames, headParameters, type Head } from "./heads.ts";

/** The tensors of a checkpoint: names and shapes at hand, numbers on demand. */
export interface StoredTensors {
  readonly shapes: ReadonlyMap<string, Shape>;
  read(name: string): Promise<Float32Array<ArrayBuffer>>;
}

export interface ReadWeights {
  readonly weights: HostTensors;
  /**
   * Heads with all their parameters in the checkpoint. Where heads share a name (`classifier`), the configuration
   * decides which head it is.
   */
  readonly heads: readonly Head[];
}

type Parameters = ReadonlyMap<string, Parameter>;
type Opened = Pick<OpenedModel, "model" | "notes" | "labels" | "head" | "extraParameters" | "architectures">;

/**
 * Reads the weights. Throws FormatError with `where` as the file. The error names the first tensor that is missing, has
 * another shape, occurs twice, or belongs to another encoder.
 */
export async function readWeights(opened: Opened, stored: StoredTensors, where: string): Promise<ReadWeights> {
  const { notes } = opened;
  const encoder = parametersOf((scope) => opened.model.encode(scope, encoderInputs(scope.graph, 1, 2)));
  const byHead = headsOf(opened);
  const optional = new Map(
    [...byHead.values(), opened.extraParameters]
      .flatMap((parameters) => [...parameters])
      .filter(([name]) => !encoder.has(name)),
  );
  const fail = (name: string, message: string): never => {
    throw new FormatError(where, `tensor "${name}"`, message);
  };
  const names = storedNames(stored, notes, (name) => encoder.has(name) || optional.has(name), fail);
  const weights: Record<string, HostTensor> = {};
  const copies = new Map(Object.entries(notes.tied).map(([copy, original]) => [original, copy]));
  for (const [parameter, { shape }] of [...encoder, ...optional]) {
    const name = names.get(parameter) ?? names.get(copies.get(parameter) ?? "");
    const got = name === undefined ? undefined : stored.shapes.get(name);
    if (name === undefined || got === undefined) {
      if (optional.has(parameter)) continue;
      return fail(
        parameter,
        `expected ${showShape(shape)}, got no such tensor. Is this a checkpoint of another model? It holds: ` +
          `${[...stored.shapes.keys()].slice(0, 5).join(", ")}, ….`,
      );
    }
    if (!sameShape(got, shape))
      fail(
        name,
        `expected ${showShape(shape)}, got ${showShape(got)}. Check that config.json belongs to these tensors.`,
      );
    weights[parameter] = { dtype: "f32", shape, data: await stored.read(name) };
  }
  for (const [parameter, name] of names) {
    const original = weights[notes.tied[parameter] ?? ""];
    if (encoder.has(parameter) || optional.has(parameter)) continue;
    if (original !== undefined) {
      const copy = await stored.read(name);
      if (copy.length !== original.data.length || copy.some((x, i) => x !== original.data[i]))
        fail(
          name,
          `expected a copy of "${notes.tied[parameter]}", got other numbers. Set tie_word_embeddings to false in ` +
            "config.json if they are not tied.",
        );
    } else if (
      parameter.startsWith(notes.prefix) &&
      ![...notes.ignored, ...notes.optional, ...(notes.ropeFrequencies ? [notes.ropeFrequencies] : [])].some(
        (pattern) => pattern.test(parameter),
      )
    ) {
      fail(name, "the model of config.json has no such parameter. Check that the two belong together.");
    }
  }
  return {
    weights,
    heads: [...byHead]
      .filter(([, parameters]) => [...parameters.keys()].every((name) => name in weights))
      .map(([head]) => head),
  };
}

/** The name that several heads share in a checkpoint. config.json says which of these heads the checkpoint has. */
const CLASSIFIER = "classifier.";

/**
 * The heads that a checkpoint of this configuration may hold, each with its parameters and the encoder's parameters.
 */
function headsOf({ model, labels, head: named, architectures }: Opened): ReadonlyMap<Head, Parameters> {
  const heads = headNames
    .filter((head) => architectures[head] !== undefined && hasHead(model, head))
    .map((head) => [head, headParameters(model, head, labels.length)] as const);
  return new Map(
    heads.filter(
      ([head, parameters]) => head === named || ![...parameters.keys()].some((name) => name.startsWith(CLASSIFIER)),
    ),
  );
}

/** The names in the file, by parameter. */
function storedNames(
  { shapes }: StoredTensors,
  { prefix, renamed }: OpenedModel["notes"],
  known: (name: string) => boolean,
  fail: (name: string, message: string) => never,
): ReadonlyMap<string, string> {
  const bare = ![...shapes.keys()].some((name) => name.startsWith(prefix));
  const names = new Map<string, string>();
  for (const name of shapes.keys()) {
    const full = bare && !known(name) ? prefix + name : name;
    const [pattern, replacement = ""] = renamed.find(([from]) => from.test(full)) ?? [];
    const parameter = pattern === undefined ? full : full.replace(pattern, replacement);
    const twin = names.get(parameter);
    if (twin !== undefined) fail(name, `the same parameter as "${twin}", which is there too. Remove one of them.`);
    names.set(parameter, name);
  }
  return names;
}
