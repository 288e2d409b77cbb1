/**
 * A bench of @cloze/tokenizer-protein: MB/s on one core from bytes to uint8 ids, on clean, soft-masked and line-wrapped
 * residues.
 *
 * Run: node bench/tokenizer-protein.mjs [folder of an installed @huggingface/tokenizers], after a build. It also times
 * `encode` of the same records, and the peer with the files that the cloze tokenizer writes.
 */
import { readFileSync } from "node:fs";
import { cpus } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { IssueCounter, amplify, esm2, protbert } from "@cloze/tokenizer-protein";

const MEGABYTES = 64;
const ROUNDS = 7;
const LENGTH = 350;
// Residues at about their frequencies in UniRef50.
const RESIDUES =
  "LLLLLLLLLLAAAAAAAAAGGGGGGGVVVVVVVSSSSSSSSEEEEEERRRRRRTTTTTTIIIIIIDDDDDDPPPPPKKKKKQQQQNNNNFFFFYYYMMHHWCX";

let state = 7;
const below = (bound) => (state = (state * 48271) % 2147483647) % bound;

function corpus(character) {
  const bytes = new Uint8Array(MEGABYTES * 1e6);
  for (let i = 0; i < bytes.length; i++) bytes[i] = character(i).charCodeAt(0);
  return bytes;
}
const residue = () => RESIDUES[below(RESIDUES.length)];
const corpora = {
  "upper case": corpus(residue),
  "lines of 60": corpus((i) => (i % 61 === 60 ? "\n" : residue())),
  "10 % lower case, in runs": corpus((i) => (i % 500 < 50 ? residue().toLowerCase() : residue())),
  "all lower case": corpus(() => residue().toLowerCase()),
};

const cpuMs = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e3;
};

/**
 * Best and median rate over the rounds, in MB per second of processor time, which is the same on a busy machine. The
 * first round warms up.
 */
function measure(bytes, run) {
  const rates = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const from = cpuMs();
    run();
    rates.push(bytes / 1e3 / (cpuMs() - from));
  }
  const sorted = rates.slice(1).sort((a, b) => a - b);
  return `${sorted.at(-1).toFixed(0).padStart(6)} ${sorted[sorted.length >> 1].toFixed(0).padStart(8)}`;
}

console.log(
  `${cpus()[0]?.model ?? "unknown processor"}, node ${process.versions.node}; ${MEGABYTES} MB in records of ${LENGTH}`,
);
console.log(`${"MB/s".padEnd(52)}   best   median`);
const line = (what, rates) => console.log(what.padEnd(50), rates);

for (const tokenizer of [esm2(), protbert(), amplify()]) {
  for (const [name, source] of Object.entries(corpora)) {
    const out = new Uint8Array(source.length);
    const issues = new IssueCounter();
    line(
      `encodeBytes ${tokenizer.name}, ${name}`,
      measure(source.length, () => {
        let at = 0;
        for (let start = 0; start < source.length; start += LENGTH)
          at += tokenizer.encodeBytes(source, start, Math.min(source.length, start + LENGTH), out, at, issues);
      }),
    );
  }
}

const sample = new TextDecoder().decode(corpora["upper case"].subarray(0, 2e6));
const records = Array.from({ length: Math.floor(sample.length / LENGTH) }, (_, i) =>
  sample.slice(i * LENGTH, (i + 1) * LENGTH),
);
const characters = records.length * LENGTH;
const tokenizer = esm2();
line(
  "encode esm2, upper case (ids, offsets, counts)",
  measure(characters, () => {
    for (const text of records) tokenizer.encode(text);
  }),
);

const [peerAt] = process.argv.slice(2);
if (peerAt === undefined)
  console.log("no peer measured: name the folder of an installed @huggingface/tokenizers to have it beside");
else {
  const manifest = JSON.parse(readFileSync(join(peerAt, "package.json"), "utf8"));
  const peer = await import(pathToFileURL(join(resolve(peerAt), "dist/tokenizers.mjs")).href);
  const files = tokenizer.files();
  const theirs = new peer.Tokenizer(JSON.parse(files["tokenizer.json"]), JSON.parse(files["tokenizer_config.json"]));
  const [text] = records;
  if (theirs.encode(text).ids.join() !== [...tokenizer.encode(text).ids].join())
    throw new Error("the peer gives other ids: the comparison would be void");
  const few = records.slice(0, 300);
  line(
    `@huggingface/tokenizers ${manifest.version} encode, upper case`,
    measure(few.length * LENGTH, () => {
      for (const record of few) theirs.encode(record);
    }),
  );
}
