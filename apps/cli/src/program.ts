/** The program of the command when it runs from its sources. bin/cloze.js is the program of a build. */
import { main } from "./main.ts";

process.exitCode = await main(process.argv.slice(2));
