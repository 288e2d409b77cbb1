/** The tokens that files name, against Python transformers 5.24.0. Made by tooling/golden/tokenizer-files.py. */
import { describe, it } from "vitest";
import { expectPython, goldenFolders } from "../../../tooling/tokenizer-folders.ts";
import { wordPieceFromFiles } from "../src/index.ts";

describe("folders of tokenizer files, as Python opens them", () => {
  it.each(goldenFolders(new URL("golden/files.json", import.meta.url)).map((folder, i) => [i, folder] as const))(
    "folder %i",
    (_, folder) => {
      expectPython(folder, wordPieceFromFiles(folder.files), wordPieceFromFiles);
    },
  );
});
