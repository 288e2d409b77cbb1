/**
 * The source of devices for all tests. Where there is no device, a test is skipped with the reason. With
 * CLOZE_EXPECT_DRIVERS=1 this is a failure: the checks of `.ci/run` set it, because CI installs drivers.
 */
import { test } from "vitest";
import { openDevice, type DeviceOptions, type OpenDevice } from "../src/runtime/device.ts";
import { isNotHere, type NotHere } from "../src/runtime/gpu.ts";

/** A new device for a test, or the reason why there is none. */
export async function deviceForTests(options: DeviceOptions = {}): Promise<OpenDevice | NotHere> {
  const opened = await openDevice(options);
  if (isNotHere(opened) && process.env["CLOZE_EXPECT_DRIVERS"] === "1")
    throw new Error(`CLOZE_EXPECT_DRIVERS=1: expected an adapter, got none: ${opened.reason}. ${opened.remedy}`);
  return opened;
}

/**
 * A test with its own device, which is closed at the end. Software adapters may take minutes to compile the kernels of
 * GPUs.
 */
export function onDevice(
  name: string,
  body: (opened: OpenDevice) => Promise<void>,
  options: DeviceOptions = { f16: false },
  timeoutMs = 300_000,
): void {
  test(
    name,
    async (context) => {
      const opened = await deviceForTests(options);
      // allow skip: this machine has no adapter, and says why
      if (isNotHere(opened)) return context.skip(`${opened.reason}. ${opened.remedy}`);
      try {
        await body(opened);
      } finally {
        opened.close();
      }
    },
    timeoutMs,
  );
}
