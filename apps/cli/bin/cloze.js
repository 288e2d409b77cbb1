#!/usr/bin/env node
// The published command. In a checkout without a build it runs the sources.
import { existsSync } from "node:fs";

if (existsSync(new URL("../dist/index.js", import.meta.url))) {
  const { main } = await import("../dist/index.js");
  process.exitCode = await main(process.argv.slice(2));
} else {
  await import("./source.js");
}
