/**
 * The command `cloze download`: downloads a model of the Hugging Face Hub into the cache, for use without a network.
 */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { downloadModel } from "../checkpoint-folder.ts";
import { command, type Command } from "../command.ts";
import { bytes, columns } from "../output.ts";

export const download: Command = command({
  arguments: { name: "NAME", help: "a model: owner/name, or owner/name@revision", min: 1, max: 1 },
  options: { revision: { kind: "string", value: "REVISION", help: "a branch, a tag or a commit (default: main)" } },
  examples: [
    { does: "A protein model", line: "cloze download facebook/esm2_t6_8M_UR50D" },
    {
      does: "A text model, pinned",
      line: "cloze download google-bert/bert-base-uncased --revision 86b5e0934494bd15c9632b12f734a8a67f723594",
    },
  ],
  notes: [
    "Only what an encoder needs: config.json, safetensors, tokenizer files. They go to the cache of Python's " +
      "huggingface_hub (HF_HOME, HF_HUB_CACHE), each checked by its checksum; an interrupted download goes on " +
      "where it ended.",
    "Wherever a command takes a checkpoint folder, it takes such a name as well, and downloads on its own; a " +
      "folder that is there wins. HF_HUB_OFFLINE=1 forbids the network, HF_ENDPOINT names a mirror, HF_TOKEN is " +
      "for private and gated models.",
  ],
  async run({ args: [name = ""], options, io, note, status }) {
    const { folder, commit, downloadedBytes } = await downloadModel(name, options.revision, { io, note, status });
    const files: { readonly file: string; readonly bytes: number }[] = [];
    for (const file of (await readdir(folder)).sort())
      files.push({ file, bytes: (await stat(join(folder, file))).size });
    return {
      json: { name, commit, folder, downloadedBytes, files },
      text: [
        folder,
        ...columns([
          ["  commit", commit],
          ...files.map((each) => [`  ${each.file}`, bytes(each.bytes)]),
          ["  downloaded", downloadedBytes === 0 ? "nothing: it was in the cache" : bytes(downloadedBytes)],
        ]),
      ],
    };
  },
});
