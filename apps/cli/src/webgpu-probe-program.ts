/** A program, not a module: prints the answer of the WebGPU backend's probe as one JSON object. */
import { probe } from "@cloze/backend-webgpu";
import { dawnModule } from "./dawn.ts";

process.stdout.write(JSON.stringify(await probe({ dawn: dawnModule() })));
