/**
 * The files that a visitor's browser loads first: the page and its worker, each with its static imports.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

export interface FirstLoad {
  readonly files: readonly string[];
  readonly gzipBytes: number;
}

/** Finds the files in the build's output `folder`. Throws where the page or the worker is missing. */
export function firstLoad(folder: string): FirstLoad {
  const html = readFileSync(join(folder, "index.html"), "utf8");
  const worker = readdirSync(join(folder, "assets")).find((name) => /^worker-.*\.js$/.test(name));
  const linked = [...html.matchAll(/(?:src|href)="\.\/(assets\/[^"]+)"/g)].map((match) => match[1] as string);
  if (worker === undefined || !linked.some((file) => file.endsWith(".js")))
    throw new Error(`${folder}: expected a page with a script and a worker, got ${linked.join(", ")}`);
  const files = new Set(["index.html"]);
  const open = [...linked, `assets/${worker}`];
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    if (files.has(file)) continue;
    files.add(file);
    if (!file.endsWith(".js")) continue;
    // The pattern finds static imports. A dynamic `import(…)` loads later and does not count.
    for (const match of readFileSync(join(folder, file), "utf8").matchAll(
      /(?:import|from)\s*["']\.\/([^"']+\.js)["']/g,
    ))
      open.push(`assets/${match[1]}`);
  }
  return {
    files: [...files],
    gzipBytes: [...files].reduce((n, file) => n + gzipSync(readFileSync(join(folder, file))).length, 0),
  };
}
