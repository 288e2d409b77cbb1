// The command line from source, for tests that start it as a process and may kill it.
import { main } from "../src/index.ts";

process.exitCode = await main(process.argv.slice(2));
