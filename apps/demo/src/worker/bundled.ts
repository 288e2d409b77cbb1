/**
 * The model that comes with the page, so that there is something to look at before any training.
 * tooling/demo-models.ts trains it and writes its files: a checkpoint in the Hugging Face layout, and bundled.json with
 * what the page says about it.
 */
import type { Backend } from "@cloze/backend";
import { FormatError } from "@cloze/errors";
import { createEncoder } from "@cloze/inference";
import type { BundledModel, Files, Side } from "../protocol.ts";
import { CONFIG_FILE, METRICS_FILE, parseMetricsText } from "../run-files.ts";
import { jsonOf, textOf, tokenizerOf, weightsOf } from "./checkpoint-files.ts";
import type { Looked } from "./look.ts";
import { modelOf, objectiveOf } from "./model.ts";

const ADDRESSES: Readonly<Record<string, string>> = import.meta.glob("../../bundled/*/*", {
  query: "?url",
  import: "default",
  eager: true,
});
const ABOUT_FILE = "bundled.json";

export interface Bundle {
  readonly files: Files;
  readonly about: BundledModel;
}

/** Fetches the files of a side's model. */
export async function readBundle(side: Side): Promise<Bundle> {
  const folder = `../../bundled/${side}/`;
  const names = Object.keys(ADDRESSES).filter((path) => path.startsWith(folder));
  const files = Object.fromEntries(
    await Promise.all(
      names.map(async (path) => [path.slice(folder.length), await fetched(ADDRESSES[path] as string, path)] as const),
    ),
  );
  const about = jsonOf(files, ABOUT_FILE) as Omit<BundledModel, "rows">;
  return { files, about: { ...about, rows: parseMetricsText(textOf(files, METRICS_FILE)) } };
}

async function fetched(url: string, path: string): Promise<Uint8Array> {
  const name = `The bundled model's ${path.split("/").at(-1)}`;
  const response = await fetch(url).catch((cause: unknown) => {
    throw new FormatError(name, "", "it could not be fetched: the page's server is away. Train a model, or reload.", {
      cause,
    });
  });
  if (!response.ok)
    throw new FormatError(name, "", `it could not be fetched: the server says ${response.status}. Reload the page.`);
  return new Uint8Array(await response.arrayBuffer());
}

/** The bundled model of one worker: read once, and put on the device for the views. */
export class Bundled {
  #bundle: Promise<Bundle> | undefined;
  #looked: Promise<Looked> | undefined;
  /** The views can show the model. */
  isOpen = false;

  read(side: Side): Promise<Bundle> {
    this.#bundle ??= readBundle(side);
    this.#bundle.catch(() => {
      this.#bundle = undefined;
    });
    return this.#bundle;
  }

  async open(side: Side, backend: Backend): Promise<BundledModel> {
    const bundle = await this.read(side);
    this.#looked ??= openBundled(backend, bundle);
    this.#looked.catch(() => {
      this.#looked = undefined;
    });
    await this.#looked;
    this.isOpen = true;
    return bundle.about;
  }

  /** The open model, or undefined. */
  async looked(): Promise<Looked | undefined> {
    return this.isOpen ? this.#looked : undefined;
  }

  /** The device is lost, and with it the model's weights on it. */
  lost(): void {
    this.#looked = undefined;
    this.isOpen = false;
  }
}

async function openBundled(backend: Backend, { files, about: { settings } }: Bundle): Promise<Looked> {
  const tokenizer = await tokenizerOf(files, settings.side);
  const objective = await objectiveOf(settings, tokenizer);
  const { opened } = await modelOf(jsonOf(files, CONFIG_FILE), "the bundled model", objective, tokenizer);
  const weights = await weightsOf(files, opened);
  return { encoder: await createEncoder({ backend, model: opened.model, weights, tokenizer }), tokenizer };
}
