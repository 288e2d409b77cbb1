/**
 * The probe for WebGPU: the device, and its features with the reasons for those that are off. It opens and closes one.
 */
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
