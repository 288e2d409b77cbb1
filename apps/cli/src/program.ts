/** The program that the sources run as: what bin/cloze.js is for a build. */
import { main } from "./main.ts";

process.exitCode = await main(process.argv.slice(2));
