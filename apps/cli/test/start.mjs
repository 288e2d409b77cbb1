// The command line from source, as a process of its own: what tests spawn and kill.
import { main } from "../src/index.ts";

process.exitCode = await main(process.argv.slice(2));
