/** The files of a tiny model. Its weights are large enough for a download in several pieces. */
import { encodeSafetensors, fromFloat32 } from "@cloze/checkpoint";
import type { FakeFile } from "./fake-hub.ts";

const text = (value: string): FakeFile => ({ bytes: new TextEncoder().encode(value) });

export const weights: FakeFile = {
  lfs: true,
  bytes: encodeSafetensors([
    {
      name: "w",
      dtype: "F32",
      shape: [250, 200],
      data: fromFloat32(
        "F32",
        Float32Array.from({ length: 50_000 }, (_, i) => Math.sin(i)),
      ),
    },
  ]),
};

export const tinyModel: Readonly<Record<string, FakeFile>> = {
  ".gitattributes": text("*.safetensors filter=lfs\n"),
  "README.md": text("# tiny\n"),
  "config.json": text('{"model_type":"bert","vocab_size":5}'),
  "model.safetensors": weights,
  "pytorch_model.bin": { lfs: true, bytes: new Uint8Array([0x80, 2]) },
  "tokenizer_config.json": text('{"do_lower_case":true}'),
  "vocab.txt": text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n"),
};

/** A repository with an index and two shards, of which the first holds the weights. */
export function sharded(map: Readonly<Record<string, string>>): Readonly<Record<string, FakeFile>> {
  const { "config.json": config = text("{}") } = tinyModel;
  return {
    "config.json": config,
    "model.safetensors.index.json": text(JSON.stringify({ weight_map: map })),
    "model-00001-of-00002.safetensors": weights,
    "model-00002-of-00002.safetensors": { ...text("other"), lfs: true },
  };
}
