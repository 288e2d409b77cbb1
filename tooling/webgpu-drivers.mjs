// The software drivers for WebGPU tests on a machine without a GPU, with the paths of their manifests.
//
//   node tooling/webgpu-drivers.mjs             prints each driver, with its manifest or "not found"
//   node tooling/webgpu-drivers.mjs --missing   prints the names of the missing drivers
//
// The environment variable VK_DRIVER_FILES tells the Vulkan loader which manifest to use.
import { existsSync, readFileSync } from "node:fs";
import { arch } from "node:process";
import { pathToFileURL } from "node:url";

const machine = { x64: "x86_64", arm64: "aarch64" }[arch] ?? arch;
const manifests = {
  lavapipe: ["/usr/share/vulkan/icd.d/lvp_icd.json", `/usr/share/vulkan/icd.d/lvp_icd.${machine}.json`],
  SwiftShader: ["/usr/lib/chromium/vk_swiftshader_icd.json", "/usr/lib/chromium-browser/vk_swiftshader_icd.json"],
};

/** Dawn refuses the Mesa of Debian 12. The manifest of that Mesa says Vulkan 1.3, and Mesa 25's says 1.4. */
const isAccepted = (name, file) =>
  name !== "lavapipe" || Number(JSON.parse(readFileSync(file, "utf8")).ICD.api_version.split(".")[1]) >= 4;

/** `{ name, file }` of each driver. `file` is undefined where the driver is missing or too old. */
export const drivers = Object.entries(manifests).map(([name, files]) => ({
  name,
  file: files.find((file) => existsSync(file) && isAccepted(name, file)),
}));

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const missing = drivers.filter(({ file }) => file === undefined).map(({ name }) => name);
  if (process.argv.includes("--missing")) process.stdout.write(missing.join(" and "));
  else for (const { name, file } of drivers) console.log(`${name}: ${file ?? "not found"}`);
}
