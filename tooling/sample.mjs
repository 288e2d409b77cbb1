// The maker of apps/cli/sample/uniprot-sample.fasta.gz, from the example database of Debian's mmseqs2-examples:
//
//   dpkg-deb -x mmseqs2-examples_14-7e284+ds-1_all.deb there
//   node tooling/sample.mjs there/usr/share/doc/mmseqs2/example-data/DB.fasta.gz
//
// The choice depends on the content only. Candidates are whole proteins (no fragments) of 30 to 600 standard residues,
// each sequence once. The sample is the 5,500 sequences with the smallest SHA-256, in the order of the SHA-256. The
// script removes " Split=0 ", which MMseqs2's own tool appends to headers.
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gunzipSync, gzipSync } from "node:zlib";

const COUNT = 5500;
const SHORTEST = 30;
const LONGEST = 600;
const [source] = process.argv.slice(2);
if (source === undefined) {
  console.error("usage: node tooling/sample.mjs DB.fasta.gz");
  process.exit(2);
}

const chosen = new Map();
for (const record of gunzipSync(readFileSync(source)).toString("latin1").split(/^>/m).slice(1)) {
  const [head, ...lines] = record.split("\n");
  const header = head.replace(/ Split=0\s*$/, "");
  const sequence = lines.join("").trim();
  if (
    header.includes("(Fragment") ||
    !/^[ACDEFGHIKLMNPQRSTVWY]+$/.test(sequence) ||
    sequence.length < SHORTEST ||
    sequence.length > LONGEST
  )
    continue;
  const hash = createHash("sha256").update(sequence).digest("hex");
  const other = chosen.get(hash);
  if (other === undefined || header < other.header) chosen.set(hash, { hash, header, sequence });
}
const records = [...chosen.values()].sort((a, b) => (a.hash < b.hash ? -1 : 1)).slice(0, COUNT);
const text = records.map(({ header, sequence }) => `>${header}\n${sequence.replace(/.{60}(?=.)/g, "$&\n")}\n`).join("");
const target = fileURLToPath(new URL("../apps/cli/sample/uniprot-sample.fasta.gz", import.meta.url));
writeFileSync(target, gzipSync(text, { level: 9 }));
const residues = records.reduce((n, { sequence }) => n + sequence.length, 0);
console.log(
  JSON.stringify({
    sequences: records.length,
    residues,
    textBytes: text.length,
    textSha256: createHash("sha256").update(text).digest("hex"),
  }),
);
