/** Started by cache.test.ts: resolves a model in a process of its own. */
import { resolveModel, type HubOptions } from "../src/index.ts";

const { folder } = await resolveModel("owner/tiny", JSON.parse(process.argv[2] ?? "") as HubOptions);
console.log(folder);
