/**
 * The child process of `exit.test.ts`. It opens the backend, runs a program, and ends in the way that its argument
 * names. It prints "ran" and its last words.
 */
import { createBackend, type WebGpuBackend } from "../src/runtime/backend.ts";
import { requireDevice } from "../src/runtime/device.ts";
import { messageOf } from "../src/runtime/errors.ts";
import { probe } from "../src/runtime/probe.ts";
import { compilerOf, counter, scalar } from "./handmade.ts";

const how = process.argv[2] ?? "";
const collect = (globalThis as { readonly gc?: () => void }).gc;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function used(): Promise<WebGpuBackend> {
  const opened = await requireDevice();
  const made = counter();
  const backend = createBackend(opened, compilerOf(made));
  const session = await backend.start({ count: scalar(1) });
  const executable = await backend.compile(made.program);
  for (let i = 0; i < 5; i++) await session.run(executable, { by: scalar(1) });
  console.log("ran", (await session.read())["count"]?.data[0]);
  const run = (): Promise<unknown> => session.run(executable, { by: scalar(1) });
  if (how === "exit during runs") {
    for (let i = 0; i < 20; i++) void run().catch(() => undefined);
    setTimeout(() => process.exit(7), 1);
  }
  if (how === "lost during runs") {
    const pending = Array.from({ length: 5 }, () => run().catch(messageOf));
    opened.device.destroy();
    console.log((await Promise.all(pending)).at(-1));
  }
  if (how === "throws during runs") {
    void run().catch(() => undefined);
    throw new Error("the caller's own mistake");
  }
  return backend;
}

if (how === "probe") console.log("ran", (await probe()).available);
else {
  let backend: WebGpuBackend | undefined = await used();
  if (how !== "no dispose" && how !== "exit during runs") await backend.dispose();
  backend = undefined;
  if (how === "garbage") {
    for (let i = 0; i < 3; i++) {
      await (await used()).dispose();
      collect?.();
      await pause(20);
    }
  }
}
