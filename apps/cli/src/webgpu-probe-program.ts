/** A program, not a module: prints what the WebGPU backend's probe says, as one JSON object. */
import { probe } from "@cloze/backend-webgpu";
import { dawnModule } from "./dawn.ts";

process.stdout.write(JSON.stringify(await probe({ dawn: dawnModule() })));
