// The examples of examples/text, one after another in one folder, in their smoke mode. Each example has at most 130
// lines, ends without an error, and leaves the files that the next example reads.
import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = join(root, "examples/text");
const dir = mkdtempSync(join(tmpdir(), "cloze-examples-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

async function example(name: string): Promise<string> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["--import", "tsx", "--conditions=@cloze/source", join(folder, name), "--smoke", "--dir", dir],
    { cwd: root },
  );
  return stdout;
}

test("none is longer than 130 lines", () => {
  for (const name of readdirSync(folder))
    expect(readFileSync(join(folder, name), "utf8").split("\n").length, name).toBeLessThanOrEqual(131);
});

test.each([
  ["1-vocabulary.ts", /^\d+ tokens from \d+ distinct words: \[CLS\] .* \[SEP\]\n$/, "tokenizer/tokenizer.json"],
  ["2-pretrain.ts", /4 steps, \d+ parameters/, "bert/model.safetensors"],
  ["3-sentiment.ts", /labels bad, good; accuracy 0\.\d+.*\nthe acting is superb: (?:good|bad) \(0\.\d+\)\n/, undefined],
  ["4-entities.ts", /tags O B-LOC I-LOC B-PER I-PER; entity F1 0\.\d+/, undefined],
  ["5-questions.ts", /exact match 0\.\d+.*\nWhere does Hugo Hill live \? .* \(0\.\d+\)\n/, undefined],
] as const)("%s", async (name, said, leaves) => {
  expect(await example(name)).toMatch(said);
  if (leaves !== undefined) expect(existsSync(join(dir, leaves))).toBe(true);
});
