// The software drivers that WebGPU tests run on where there is no GPU, and where their manifests lie. `node
// tooling/webgpu-drivers.mjs` prints what was found, with --missing the names of those that were not. The Vulkan loader
// is told of one by VK_DRIVER_FILES.
import { existsSync, readFileSync } from "node:fs";
import { arch } from "node:process";
import { pathToFileURL } from "node:url";

const machine = { x64: "x86_64", arm64: "aarch64" }[arch] ?? arch;
const manifests = {
  lavapipe: ["/usr/share/vulkan/icd.d/lvp_icd.json", `/usr/share/vulkan/icd.d/lvp_icd.${machine}.json`],
  SwiftShader: ["/usr/lib/chromium/vk_swiftshader_icd.json", "/usr/lib/chromium-browser/vk_swiftshader_icd.json"],
};

/** Dawn refuses the Mesa of Debian 12, whose manifest says Vulkan 1.3; that of Mesa 25 says 1.4. */
const isAccepted = (name, file) =>
  name !== "lavapipe" || Number(JSON.parse(readFileSync(file, "utf8")).ICD.api_version.split(".")[1]) >= 4;

/** `{ name, file }` of each; file is undefined where it is not there, or too old. */
export const drivers = Object.entries(manifests).map(([name, files]) => ({
  name,
  file: files.find((file) => existsSync(file) && isAccepted(name, file)),
}));

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const missing = drivers.filter(({ file }) => file === undefined).map(({ name }) => name);
  if (process.argv.includes("--missing")) process.stdout.write(missing.join(" and "));
  else for (const { name, file } of drivers) console.log(`${name}: ${file ?? "not found"}`);
}
