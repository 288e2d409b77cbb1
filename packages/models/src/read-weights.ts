/**
 * Reading of a checkpoint's tensors as the parameters of a model, with the rules of transformers: old names, tied
 * copies, a bare encoder without the prefix of the surrounding model. Heads may be missing; only the use of a missing
 * head is an error. An encoder tensor that the model does not have is an error at once. The tensors may come from a
 * file, a browser's fetch, or any other store with names and shapes.
 */
import { FormatError } from "@cloze/errors";
import { sameShape, showShape, type HostTensor, type HostTensors, type Shape } from "@cloze/graph";
import { encoderInputs, parametersOf, type Parameter } from "@cloze/nn";
import { familyOf } from "./family-of.ts";
import type { OpenedModel, OpenOptions } from "./family.ts";
import { hasHead, headNames, headParameters, type Head } from "./heads.ts";

/** The tensors of a checkpoint: names, shapes and dtypes at hand, numbers on demand. */
export interface StoredTensors {
  readonly shapes: ReadonlyMap<string, Shape>;
  /** The dtypes as the file names them: F32, BF16, I8, …. Absent: all tensors hold floats. */
  readonly dtypes?: ReadonlyMap<string, string>;
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
type Opened = Pick<
  OpenedModel,
  "model" | "notes" | "labels" | "head" | "extraParameters" | "architectures" | "buffers"
>;

/**
 * Opens the model of a config.json with the weights of its checkpoint, and with the rotary frequencies that the
 * checkpoint stores. Errors name `options.file` for the configuration and `where` for the tensors. Throws the errors of
 * `openModel` and of `readWeights`.
 */
export async function openCheckpoint(
  json: unknown,
  stored: StoredTensors,
  where: string,
  options: Omit<OpenOptions, "ropeFrequencies"> = {},
): Promise<OpenedModel & ReadWeights> {
  const family = await familyOf(json, options.file);
  const plain = family.open(json, options);
  const ropeFrequencies = await storedFrequencies(plain.notes, stored, where);
  const opened = ropeFrequencies === undefined ? plain : family.open(json, { ...options, ropeFrequencies });
  return { ...opened, ...(await readWeights(opened, stored, where)) };
}

/**
 * Reads the weights. Throws FormatError with `where` as the file. The error names the first tensor that is missing, has
 * another shape, occurs twice, belongs to another encoder, or holds no floats; and the stored rotary frequencies where
 * the model was opened with others (`openCheckpoint` opens it with these).
 */
export async function readWeights(opened: Opened, stored: StoredTensors, where: string): Promise<ReadWeights> {
  const { notes } = opened;
  const encoder = parametersOf((scope) => opened.model.encode(scope, encoderInputs(scope.graph, 1, 2)));
  const byHead = headsOf(opened);
  const pooler = poolerParameters(opened.model);
  const optional = new Map(
    [...byHead.values(), pooler, opened.extraParameters]
      .flatMap((parameters) => [...parameters])
      .filter(([name]) => !encoder.has(name)),
  );
  const fail = (name: string, message: string): never => {
    throw new FormatError(where, `tensor "${name}"`, message);
  };
  refuseQuantised(stored, fail);
  await expectFrequencies(opened, stored, where);
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
    const dtype = stored.dtypes?.get(name) ?? "F32";
    if (!FLOATS.has(dtype)) fail(name, `expected floats (${[...FLOATS].join(", ")}), got ${dtype}. ${DEQUANTISE}`);
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

/** Dtypes of parameters. */
const FLOATS: ReadonlySet<string> = new Set(["F64", "F32", "F16", "BF16"]);

const DEQUANTISE =
  "Are the weights quantised? Take the model that was quantised, or write the weights as floats in Python: " +
  "model.dequantize(), then model.save_pretrained(DIR).";

/** Endings of the tensors that bitsandbytes, GPTQ, AWQ, fp8, compressed-tensors and torchao store beside integers. */
const QUANTISED =
  /(\.|^)(qweight|qzeros|scales|g_idx|SCB|weight_format|absmax|quant_map|nested_absmax|nested_quant_map|quant_state\..*|(weight|input)(_scale|_scale_inv|_zero_point|_packed|_shape|_g_idx|_scale_2)|weight_blocks|weight_scales)$/;

/** Fails for a tensor that only a quantised checkpoint has. */
function refuseQuantised({ shapes }: StoredTensors, fail: (name: string, message: string) => never): void {
  const name = [...shapes.keys()].find((each) => QUANTISED.test(each));
  if (name !== undefined) fail(name, `expected weights as floats, got a tensor of quantised weights. ${DEQUANTISE}`);
}

/**
 * The rotary frequencies that a checkpoint stores: one tensor for the model, or equal ones for its layers. Undefined if
 * it stores none, or its family has none. Throws FormatError if layers differ.
 */
async function storedFrequencies(
  { ropeFrequencies: pattern, prefix }: OpenedModel["notes"],
  { shapes, read }: StoredTensors,
  where: string,
): Promise<Float32Array | undefined> {
  if (pattern === undefined) return undefined;
  const names = [...shapes.keys()].filter((name) => pattern.test(name) || pattern.test(prefix + name)).sort();
  // As transformers: the model's own tensor, else that of the first layer.
  const first = names.find((name) => !name.includes("layer.")) ?? names[0];
  if (first === undefined) return undefined;
  const frequencies = await read(first);
  for (const name of names) {
    const other = await read(name);
    if (other.length !== frequencies.length || other.some((x, i) => x !== frequencies[i]))
      throw new FormatError(
        where,
        `tensor "${name}"`,
        `expected the rotary frequencies of "${first}", got others. Layers with frequencies of their own are not ` +
          "built here.",
      );
  }
  return frequencies;
}

/** Throws FormatError if the model turns by other frequencies than the checkpoint stores. */
async function expectFrequencies(
  { notes, buffers }: Pick<OpenedModel, "notes" | "buffers">,
  stored: StoredTensors,
  where: string,
): Promise<void> {
  const frequencies = await storedFrequencies(notes, stored, where);
  const own = Object.entries(buffers).find(([name]) => notes.ropeFrequencies?.test(name))?.[1].data;
  if (frequencies === undefined || own === undefined) return;
  const at = frequencies.findIndex((x, i) => !(Math.abs(x / (own[i] as number) - 1) < 1e-6));
  if (at >= 0)
    throw new FormatError(
      where,
      "rotary_embeddings.inv_freq",
      `expected the frequencies that the model was opened with (${own[at]} at ${at}), got ${frequencies[at]}. Open ` +
        "the model with openCheckpoint, which takes them from here.",
    );
}

/** The parameters of the model's own pooler; none without a pooler. */
function poolerParameters(model: OpenedModel["model"]): Parameters {
  const { pool } = model;
  if (pool === undefined) return new Map();
  return parametersOf((scope) => pool(scope, scope.graph.full([1, model.hidden], 0, "f32")));
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
