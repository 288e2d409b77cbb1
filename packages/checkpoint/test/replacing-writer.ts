// The process that kill.test.ts starts and kills: it replaces one checkpoint folder again and again. argv: folder, size
// of each file.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { writeDirectoryAtomic } from "../src/node.ts";

const [dir = "", size = "0"] = process.argv.slice(2);
for (let round = 0; ; round++) {
  await writeDirectoryAtomic(dir, async (temporary) => {
    for (const name of ["model.safetensors", "optimizer.safetensors", "trainer_state.json"]) {
      await writeFile(join(temporary, name), new Uint8Array(Number(size)).fill(round % 251));
    }
  });
  process.stdout.write(`${round}\n`);
}
