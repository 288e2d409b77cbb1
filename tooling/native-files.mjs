// The native files that our published packages hold: the files of onnxruntime-node in @cloze/backend-onnxruntime, and
// the files of webgpu in the command line.
//
//   node tooling/native-files.mjs put onnxruntime      before packing (the package's `prepack`)
//   node tooling/native-files.mjs remove onnxruntime   after packing (its `postpack`): a checkout uses the packages
//
// Why they are not dependencies: docs/decisions/0023-native-files-come-along.md. Left out are the files that the CPU
// does not need: the install scripts, the second copy of macOS's library under a longer name, and on Windows the
// libraries of Direct3D (onnxruntime.dll loads DirectML.dll only when a program asks for DirectML, and the other two
// only for WebGPU).
//
// CLOZE_PLATFORMS=linux/x64 puts only the libraries of that platform (several platforms: a list with commas). Checks
// use it, because they pack often.
import { cpSync, linkSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { root } from "./workspace.mjs";

const wanted = process.env.CLOZE_PLATFORMS?.split(",");
const manifestOf = (folder) => JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));

const licence = `MIT License

Copyright (c) Microsoft Corporation

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.
`;

const needless = /^(libonnxruntime\.\d+\.\d+\.\d+\.dylib|DirectML\.dll|dxcompiler\.dll|dxil\.dll)$/;

/**
 * Each part: `target` is the folder to fill. `from` is our package from whose folder `entry` resolves. `above` is the
 * number of folders from the resolved file up to the package's folder. `files` lists the files to take.
 */
const PARTS = {
  onnxruntime: {
    target: "packages/backend-onnxruntime/onnxruntime",
    from: "packages/backend-onnxruntime",
    entry: "onnxruntime-node",
    above: 2,
    url: (version) => `https://github.com/microsoft/onnxruntime/tree/v${version}`,
    without: "without its install script and without the libraries that only GPUs need",
    files(source) {
      const scripts = readdirSync(join(source, "dist")).filter((file) => file.endsWith(".js"));
      return [...scripts.map((file) => `dist/${file}`), ...this.libraries(source)];
    },
    libraries: (source) =>
      readdirSync(join(source, "bin/napi-v6")).flatMap((system) =>
        readdirSync(join(source, "bin/napi-v6", system))
          .filter((processor) => wanted?.includes(`${system}/${processor}`) ?? true)
          .flatMap((processor) => filesIn(source, `bin/napi-v6/${system}/${processor}`)),
      ),
    check(manifest) {
      const { "onnxruntime-common": ours } = manifestOf(join(root, this.from)).dependencies;
      const theirs = manifest.dependencies["onnxruntime-common"];
      if (ours !== theirs)
        throw new Error(`${this.from}: expected onnxruntime-common ${theirs}, got ${ours}. Change package.json.`);
    },
  },
  webgpu: {
    target: "apps/cli/webgpu",
    from: "packages/backend-webgpu",
    entry: "webgpu",
    above: 1,
    url: () => "https://github.com/dawn-gpu/node-webgpu",
    without: "without its install script",
    files: (source) => [
      "index.js",
      "LICENSE.md",
      ...readdirSync(join(source, "dist"))
        .filter((platform) => wanted?.some((each) => platform === platformOfDawn(each)) ?? true)
        .flatMap((platform) => filesIn(source, `dist/${platform}`)),
    ],
    check() {},
  },
};

/** The name of a platform in Dawn's package, which has one library for both processors of macOS. */
const platformOfDawn = (platform) => platform.replace(/^darwin\/.*/, "darwin/universal").replace("/", "-");

const filesIn = (source, folder) =>
  readdirSync(join(source, folder))
    .filter((file) => !needless.test(file) || folder.startsWith("dist/"))
    .map((file) => `${folder}/${file}`);

function put({ target, from, entry, above, url, without, ...part }) {
  let source = createRequire(join(root, from, "package.json")).resolve(entry);
  for (let i = 0; i < above; i++) source = dirname(source);
  const manifest = manifestOf(source);
  part.check.call({ ...part, from }, manifest);
  const { name, version, license, author, repository, main, type } = manifest;
  const write = (file, text) => writeFileSync(join(root, target, file), text);
  mkdirSync(join(root, target), { recursive: true });
  write("package.json", `${JSON.stringify({ name, version, license, author, repository, main, type }, null, 2)}\n`);
  write(
    "README.md",
    `${name} ${version}, ${without}.\nSource, and notices of what the libraries contain:\n${url(version)}\n`,
  );
  const files = part.files(source);
  for (const file of files) place(join(source, file), join(root, target, file));
  if (!files.some((file) => file.startsWith("LICENSE"))) write("LICENSE", licence);
}

/** Makes a hard link where the file system allows one, else a copy: the libraries take hundreds of megabytes. */
function place(from, to) {
  mkdirSync(dirname(to), { recursive: true });
  try {
    linkSync(from, to);
  } catch {
    cpSync(from, to);
  }
}

const [work, name] = process.argv.slice(2);
const part = PARTS[name];
if (part === undefined || !["put", "remove"].includes(work))
  throw new Error(`expected put or remove, and ${Object.keys(PARTS).join(" or ")}, got ${work} ${name}`);
rmSync(join(root, part.target), { recursive: true, force: true });
if (work === "put") put(part);
