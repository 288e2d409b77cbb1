// The command from its sources, without a build: `node apps/cli/bin/source.js <command> ...`. Not published.
//
// tsx reads the TypeScript, and the "@cloze/source" condition makes every package of the workspace its sources. Worker
// threads get the same flags from the process that starts them.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const flags = ["--import", import.meta.resolve("tsx"), "--conditions=@cloze/source"];
const program = fileURLToPath(new URL("../src/program.ts", import.meta.url));
const child = spawn(process.execPath, [...flags, program, ...process.argv.slice(2)], { stdio: "inherit" });

// A terminal sends Ctrl-C to both processes, and only the child answers it. Other signals come to this one alone.
process.on("SIGINT", () => undefined);
for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
child.on("error", (error) => {
  throw error;
});
child.on("exit", (code, signal) => {
  if (signal === null) process.exit(code);
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
});
