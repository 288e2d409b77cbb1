// examples/every-backend.mjs in its smoke mode: a table of the backends that run on any machine, with equal losses.
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

test("every backend takes the same steps to the same loss", async () => {
  const root = fileURLToPath(new URL("..", import.meta.url));
  const file = `${root}examples/every-backend.mjs`;
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["--import", "tsx", "--conditions=@cloze/source", file, "--smoke", "--only", "onnxruntime,tfjs:wasm"],
    { cwd: root },
  );
  const lines = stdout.trimEnd().split("\n");
  const losses = lines
    .slice(1, 3)
    .map((line) => /(\d\.\d{5})\s+(\d\.\d{5})\s+(\d\.\d{5})\s+[\d.]+\s+\d+$/.exec(line)?.slice(1).map(Number));
  expect(lines.map((line) => line.split(/\s+/)[0])).toEqual(["backend", "onnxruntime", "tfjs:wasm"]);
  for (const i of [0, 1, 2]) expect(Math.abs((losses[0]?.[i] ?? NaN) - (losses[1]?.[i] ?? NaN))).toBeLessThan(1e-4);
}, 120_000);
