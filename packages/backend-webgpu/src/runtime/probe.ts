/** Whether WebGPU runs here: on what device, with what, and what is off and why. Opens a device and closes it. */
import { available, unavailable, type Probe } from "@cloze/backend";
import { openDevice, type DeviceOptions } from "./device.ts";
import { messageOf } from "./errors.ts";
import { isNotHere } from "./gpu.ts";

export async function probe(options: DeviceOptions = {}): Promise<Probe> {
  try {
    const found = await openDevice(options);
    if (isNotHere(found)) return found;
    found.close();
    const {
      profile: { device, family },
      notes,
    } = found;
    return available(device, notes, {
      lastResort: family === "software" ? `${device} computes on the CPU` : undefined,
    });
  } catch (error) {
    return unavailable(`WebGPU fails when it is tried (${messageOf(error)})`, "Update the GPU's driver.");
  }
}
