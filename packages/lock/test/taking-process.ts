/**
 * The process that lock.test.ts starts. It takes the lock when the clock says so, writes its pid into a shared log on
 * entering and leaving, and prints "held" or the error.
 *
 *     node taking-process.ts LOCK LOG START_MS HOLD_MS [no-links]
 */
import { appendFileSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import fs from "node:fs";

const [, , path = "", log = "", start = "0", hold = "0", links] = process.argv;
if (links === "no-links") {
  fs.linkSync = () => {
    throw Object.assign(new Error("EPERM: operation not permitted, link"), { code: "EPERM" });
  };
  syncBuiltinESMExports();
}
const { lock } = await import("../src/index.ts");

while (Date.now() < Number(start));
try {
  const held = lock(path, "test", "the folder", { command: "a test" });
  appendFileSync(log, `in ${process.pid}\n`);
  console.log("held");
  await new Promise((resolve) => setTimeout(resolve, Number(hold)));
  if (!held.isHeld()) console.log("lost");
  appendFileSync(log, `out ${process.pid}\n`);
  held.release();
} catch (error) {
  console.log((error as Error).message);
}
