/** The process that cache.test.ts starts: it resolves a model and prints the folder. */
import { resolveModel, type HubOptions } from "../src/index.ts";

const { folder } = await resolveModel("owner/tiny", JSON.parse(process.argv[2] ?? "") as HubOptions);
console.log(folder);
