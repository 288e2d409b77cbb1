// A WordPiece vocabulary from a text file, written as the four files that Python's `tokenizers` and `transformers`
// open.
//
//   node --import tsx --conditions=@cloze/source examples/text/1-vocabulary.ts [--dir runs/text] [--data corpus.txt]
//   [--size 2000] [--smoke]
//
// Without --data the example makes up a corpus (data.ts). The other examples go on in the same folder: they pretrain,
// then fine-tune.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { wordPiece } from "@cloze/tokenizer-wordpiece";
import { countFiles } from "@cloze/tokenizer-wordpiece/node";
import { trainVocabulary } from "@cloze/tokenizer-wordpiece/train";
import { writeData } from "./data.ts";

const { values } = parseArgs({
  options: {
    dir: { type: "string", default: "runs/text" },
    data: { type: "string" },
    size: { type: "string", default: "2000" },
    smoke: { type: "boolean", default: false },
  },
});
const { dir, smoke } = values;

if (values.data === undefined) writeData(join(dir, "data"), smoke ? 120 : 2000);
const corpus = values.data ?? join(dir, "data", "corpus.txt");

// Words are counted in the form that the tokenizer cuts. Then the most frequent pairs are joined until the vocabulary
// is full.
const words = (await countFiles([corpus], { workers: 0, lowercase: false })).words();
const vocabulary = trainVocabulary(words, { size: smoke ? 200 : Number(values.size) });

const tokenizer = wordPiece({ vocabulary, lowercase: false });
mkdirSync(join(dir, "tokenizer"), { recursive: true });
for (const [name, text] of Object.entries(tokenizer.files())) writeFileSync(join(dir, "tokenizer", name), text);

const { ids } = tokenizer.encode("Ann Miller lives in Port Louis .");
console.log(
  `${vocabulary.length} tokens from ${words.size} distinct words: ${Array.from(ids, (id) => vocabulary[id]).join(" ")}`,
);
