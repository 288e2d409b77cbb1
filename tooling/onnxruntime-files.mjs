// The files of onnxruntime-node that the published @cloze/backend-onnxruntime holds, in its folder `onnxruntime/`.
//
//   node tooling/onnxruntime-files.mjs put      before packing (the package's `prepack`)
//   node tooling/onnxruntime-files.mjs remove   after packing (its `postpack`): a checkout uses onnxruntime-node itself
//
// Why not as a dependency: docs/decisions/0023-onnxruntime-comes-along.md. Left out is what the CPU does not need:
// the install script, the second copy of macOS's library under a longer name, and on Windows the libraries of Direct3D
// (onnxruntime.dll loads DirectML.dll only when DirectML is asked for, and the other two only for WebGPU).
// CLOZE_PLATFORMS=linux/x64 puts only the libraries of one platform (a list with commas): for checks, which pack often.
import { cpSync, linkSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { root } from "./workspace.mjs";

const home = join(root, "packages/backend-onnxruntime");
const target = join(home, "onnxruntime");
const needless = /^(libonnxruntime\.\d+\.\d+\.\d+\.dylib|DirectML\.dll|dxcompiler\.dll|dxil\.dll)$/;

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

function put() {
  const source = dirname(dirname(createRequire(join(home, "package.json")).resolve("onnxruntime-node")));
  const upstream = JSON.parse(readFileSync(join(source, "package.json"), "utf8"));
  const { "onnxruntime-common": ours } = JSON.parse(readFileSync(join(home, "package.json"), "utf8")).dependencies;
  const theirs = upstream.dependencies["onnxruntime-common"];
  if (ours !== theirs)
    throw new Error(
      `packages/backend-onnxruntime: expected onnxruntime-common ${theirs}, as onnxruntime-node has it, got ${ours}. ` +
        "Change package.json.",
    );
  remove();
  const { name, version, license, author, repository, main } = upstream;
  write("package.json", `${JSON.stringify({ name, version, license, author, repository, main }, null, 2)}\n`);
  write("LICENSE", licence);
  write(
    "README.md",
    `${name} ${version}, without its install script and without the libraries that only GPUs need. Source and the\n` +
      `notices of what the libraries contain: https://github.com/microsoft/onnxruntime/tree/v${version}\n`,
  );
  for (const file of readdirSync(join(source, "dist")))
    if (file.endsWith(".js")) place(join(source, "dist", file), join(target, "dist", file));
  const wanted = process.env.CLOZE_PLATFORMS?.split(",");
  const libraries = join(source, "bin/napi-v6");
  for (const system of readdirSync(libraries))
    for (const processor of readdirSync(join(libraries, system)))
      if (wanted === undefined || wanted.includes(`${system}/${processor}`))
        for (const file of readdirSync(join(libraries, system, processor)))
          if (!needless.test(file))
            place(join(libraries, system, processor, file), join(target, "bin/napi-v6", system, processor, file));
}

function write(file, text) {
  mkdirSync(dirname(join(target, file)), { recursive: true });
  writeFileSync(join(target, file), text);
}

/** A hard link where that is possible: the libraries take 170 MB. */
function place(from, to) {
  mkdirSync(dirname(to), { recursive: true });
  try {
    linkSync(from, to);
  } catch {
    cpSync(from, to);
  }
}

function remove() {
  rmSync(target, { recursive: true, force: true });
}

const work = { put, remove }[process.argv[2]];
if (work === undefined) throw new Error(`expected put or remove, got ${process.argv[2]}`);
work();
