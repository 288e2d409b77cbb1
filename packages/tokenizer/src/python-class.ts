/**
 * The class of Python `transformers` that opens a tokenizer's files, and what it takes from them.
 *
 * tokenizer_config.json names the class, else config.json names it or the model type that has it. Two classes can read
 * different tokens from the same files: BertTokenizer takes only the vocabulary of tokenizer.json and makes the rest
 * from tokenizer_config.json; PreTrainedTokenizerFast takes tokenizer.json whole.
 * Source: AutoTokenizer of transformers 5.24.0.
 */
import { parseJsonObject, type JsonObject } from "./json-file.ts";

/**
 * "whole": tokenizer.json as it stands. "bert", "mpnet", "roberta": the vocabulary alone, the pipeline from
 * tokenizer_config.json. "dpr": as "bert", always in lower case. "convbert": tokenizer.json, with BERT's template.
 * "esm": vocab.txt alone.
 */
export type PythonReading = "whole" | "bert" | "dpr" | "mpnet" | "convbert" | "roberta" | "esm";

/** Classes without "Fast" at their end. Any other class reads tokenizer.json whole. */
const CLASSES: Readonly<Record<string, PythonReading>> = {
  BertTokenizer: "bert",
  DistilBertTokenizer: "bert",
  DPRContextEncoderTokenizer: "dpr",
  DPRQuestionEncoderTokenizer: "dpr",
  DPRReaderTokenizer: "dpr",
  ElectraTokenizer: "bert",
  LayoutLMTokenizer: "bert",
  LxmertTokenizer: "bert",
  MobileBertTokenizer: "bert",
  SqueezeBertTokenizer: "bert",
  ConvBertTokenizer: "convbert",
  MPNetTokenizer: "mpnet",
  BartTokenizer: "roberta",
  LEDTokenizer: "roberta",
  LongformerTokenizer: "roberta",
  MvpTokenizer: "roberta",
  RobertaTokenizer: "roberta",
  EsmTokenizer: "esm",
};

/** The class of a model type, for files that name no class. "" is a class that reads tokenizer.json whole. */
const MODEL_CLASSES: Readonly<Record<string, string>> = {
  bart: "RobertaTokenizer",
  bert: "BertTokenizer",
  convbert: "BertTokenizer",
  distilbert: "BertTokenizer",
  electra: "BertTokenizer",
  esm: "EsmTokenizer",
  longformer: "RobertaTokenizer",
  "megatron-bert": "BertTokenizer",
  mobilebert: "MobileBertTokenizer",
  modernbert: "",
  "modernbert-decoder": "",
  mpnet: "MPNetTokenizer",
  nomic_bert: "BertTokenizer",
  nystromformer: "",
  roberta: "RobertaTokenizer",
  "roberta-prelayernorm": "RobertaTokenizer",
  squeezebert: "BertTokenizer",
};

/**
 * What the class takes. Undefined for files that name neither a class nor a model type.
 *
 * @param files texts by file name, with config.json where it is known.
 */
export function pythonReading(files: Readonly<Record<string, string>>): PythonReading | undefined {
  const config = jsonOf(files, "config.json");
  const named = jsonOf(files, "tokenizer_config.json")?.["tokenizer_class"] ?? config?.["tokenizer_class"];
  const type = config?.["model_type"];
  const own = typeof type === "string" ? MODEL_CLASSES[type] : undefined;
  const name = own === "" || typeof named !== "string" ? own : named;
  if (name === undefined) return typeof type === "string" ? "whole" : undefined;
  return CLASSES[name.replace(/Fast$/, "")] ?? "whole";
}

function jsonOf(files: Readonly<Record<string, string>>, name: string): JsonObject | undefined {
  const text = files[name];
  return text === undefined ? undefined : parseJsonObject(text, name);
}
