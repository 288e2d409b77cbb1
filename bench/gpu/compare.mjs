// The comparison of two runs of the benches in this folder: cloze with PyTorch, or one commit with another.
//
//   node bench/gpu/compare.mjs cloze.json torch.json
//
// f32 is compared with f32 (and TF32), 16-bit modes with bf16. For a product the best tile counts. A ratio is the time
// of the first run divided by the time of the second; below 1 the first one is faster.
import { readFileSync } from "node:fs";

const [one, two] = process.argv.slice(2).map((file) => JSON.parse(readFileSync(file, "utf8")));
if (two === undefined) throw new Error("usage: node bench/gpu/compare.mjs FIRST.json SECOND.json");
for (const { engine, commit, device, driver, date } of [one, two])
  console.log(`${engine}: ${device}; ${driver}; ${commit}; ${date}`);
if (one.quick || two.quick) console.log("a --quick run: it shows that everything runs, not how fast");

const against =
  one.engine === two.engine
    ? { f32: ["f32"], f16: ["f16"], matrix: ["matrix"], tf32: ["tf32"], bf16: ["bf16"] }
    : { f32: ["f32", "tf32"], f16: ["bf16", "f16"], matrix: ["bf16", "matrix"] };
const time = ({ pipelinedMs, ms }) => pipelinedMs ?? ms;
const best = ({ rows }) => {
  const found = new Map();
  for (const row of rows.filter(({ kind, ok, ms }) => kind !== "profile" && ok && ms !== undefined)) {
    const key = [row.kind, row.name, row.mode].join("\n");
    const before = found.get(key);
    if (before === undefined || time(row) < time(before)) found.set(key, row);
  }
  return found;
};
const [first, second] = [best(one), best(two)];
let pairs = 0;
for (const row of first.values())
  for (const mode of against[row.mode] ?? []) {
    const other = second.get([row.kind, row.name, mode].join("\n"));
    if (other === undefined) continue;
    pairs++;
    const say = (x) =>
      `${time(x).toFixed(3)} ` +
      `ms${x.tflops === undefined ? "" : ` ${x.tflops.toFixed(2)} TFLOP/s`}` +
      `${x.tokensPerSecond === undefined ? "" : ` ${x.tokensPerSecond.toFixed(0)} tokens/s`}`;
    console.log(
      `${row.kind.padEnd(9)} ${row.name.padEnd(46)} ${row.mode} ${say(row)}${row.tile ? ` (${row.tile})` : ""} | ` +
        `${mode} ${say(other)} | ratio ${(time(row) / time(other)).toFixed(2)}`,
    );
  }
if (pairs === 0) throw new Error("bench: the two files have no row in common");
