/**
 * The search for `--objective NAME`. NAME is one of our packages (`mlm` is `@cloze/objective-mlm`), any package that is
 * installed in the user's folder, or a file (`./my-objective.js`). All of them export `objective`; a package of
 * somebody else is no different from ours.
 *
 * `mlm+nsp` names several objectives at once. The options of each stand under its name, and `factors` weights their
 * losses.
 */
import { readFile, stat } from "node:fs/promises";
import { dirname, isAbsolute, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { ConfigError } from "@cloze/errors";
import { composeObjectives, type Objective, type ObjectiveMaker, type TokenSet } from "@cloze/objective";
import { didYouMean } from "./suggest.ts";

export interface FoundObjective {
  /** The package or file of the objective. */
  readonly from: string;
  readonly objective: ObjectiveMaker;
}

/** Objectives that come with the command line. `--objective` knows them without an install. */
const OWN: Readonly<Record<string, () => Promise<object>>> = {
  mlm: () => import("@cloze/objective-mlm"),
  nsp: () => import("@cloze/objective-nsp"),
  sop: () => import("@cloze/objective-sop"),
  "masked-diffusion": () => import("@cloze/objective-masked-diffusion"),
};

export async function findObjective(name: string, cwd: string): Promise<FoundObjective> {
  const names = name.split("+");
  if (names.length === 1) return findOne(name, cwd);
  if (names.includes(""))
    throw new ConfigError(`--objective ${name}: expected names with a + between, such as mlm+nsp, got an empty one.`);
  const parts: FoundObjective[] = [];
  for (const each of names) parts.push(await findOne(each, cwd));
  return {
    from: parts.map(({ from }) => from).join("+"),
    objective: (tokens, options = {}) => compose(names, parts, tokens, options),
  };
}

/**
 * Objectives that follow each other in a run, by name. If there are several, the options of each stand under its name,
 * as for `mlm+nsp`.
 */
export async function findObjectives(
  names: readonly string[],
  tokens: TokenSet,
  options: Readonly<Record<string, unknown>>,
  cwd: string,
): Promise<ReadonlyMap<string, Objective>> {
  const made = new Map<string, Objective>();
  const single = new Set(names).size === 1;
  const wrong = single ? undefined : Object.keys(options).find((key) => !names.includes(key));
  if (wrong !== undefined)
    throw new ConfigError(
      "--objective-options: expected the options of each objective under its name, " +
        `${[...new Set(names)].join(", ")}, got "${wrong}". Write '{"${names[0]}":{…}}'.`,
    );
  for (const name of names) {
    if (made.has(name)) continue;
    const own = single ? options : (options[name] ?? {});
    if (typeof own !== "object" || own === null || Array.isArray(own))
      throw new ConfigError(`--objective-options: expected an object under "${name}", got ${JSON.stringify(own)}.`);
    made.set(name, (await findObjective(name, cwd)).objective(tokens, own as Readonly<Record<string, unknown>>));
  }
  const [first, ...others] = [...made.values()];
  const other = others.find(
    ({ rows = "sequences" }) => JSON.stringify(rows) !== JSON.stringify(first?.rows ?? "sequences"),
  );
  if (other !== undefined)
    throw new ConfigError(
      `--objective: expected objectives that read the same rows, got ${first?.name} and ${other.name}. Train in ` +
        "two runs, the second with --from.",
    );
  return made;
}

function compose(
  names: readonly string[],
  parts: readonly FoundObjective[],
  tokens: TokenSet,
  options: Readonly<Record<string, unknown>>,
): Objective {
  const known = [...names, "factors"];
  const wrong = Object.keys(options).find((key) => !known.includes(key));
  const form = `'{"${names[0]}":{…},"factors":{"${names[1]}":0.5}}'`;
  if (wrong !== undefined)
    throw new ConfigError(
      `--objective-options: expected the options of ${names.join("+")} under their names, ${known.join(", ")}, ` +
        `got "${wrong}". Write ${form}.`,
    );
  for (const [key, value] of Object.entries(options)) {
    if (typeof value !== "object" || value === null || Array.isArray(value))
      throw new ConfigError(
        `--objective-options: expected an object under "${key}", got ${JSON.stringify(value)}. Write ${form}.`,
      );
  }
  const of = options as Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  const factors = of["factors"] as Readonly<Record<string, number>> | undefined;
  return composeObjectives(
    parts.map(({ objective }, i) => objective(tokens, of[names[i] as string])),
    factors && { factors },
  );
}

const shortOf = (name: string): string => name.replace(/^@cloze\/objective-/, "");
const candidatesOf = (name: string): readonly string[] => [`@cloze/objective-${name}`, name].filter(isPackageName);

/** Whether `--objective` takes the name for one of ours. */
export const isOwn = (name: string): boolean => Object.hasOwn(OWN, shortOf(name));

/** The installed package that `--objective name` would find from `cwd`. */
export async function installedAs(name: string, cwd: string): Promise<string | undefined> {
  for (const candidate of candidatesOf(name)) if ((await packageEntry(candidate, cwd)) !== undefined) return candidate;
  return undefined;
}

async function findOne(name: string, cwd: string): Promise<FoundObjective> {
  const short = shortOf(name);
  const own = isOwn(name) ? OWN[short] : undefined;
  if (own !== undefined) return { from: `@cloze/objective-${short}`, objective: makerOf(await own(), name) };
  const isFile = /^\.{1,2}\//.test(name) || isAbsolute(name);
  const candidates = isFile ? [name] : candidatesOf(name);
  for (const candidate of candidates) {
    const file = isFile ? resolve(cwd, name) : await packageEntry(candidate, cwd);
    if (file === undefined || (await stat(file).catch(() => undefined)) === undefined) continue;
    const loaded = (await import(/* @vite-ignore */ pathToFileURL(file).href).catch((cause: unknown) => {
      throw new ConfigError(
        `--objective ${name}: found ${file}, which does not load: ` +
          `${cause instanceof Error ? cause.message : String(cause)}`,
        { cause },
      );
    })) as object;
    return { from: candidate, objective: makerOf(loaded, candidate) };
  }
  if (isFile)
    throw new ConfigError(`--objective ${name}: expected a JavaScript file there, found nothing. Check the path.`);
  const looked =
    candidates.length === 0
      ? "no such name of a package"
      : `no ${candidates.join(" and no ")} installed in ${cwd} or above`;
  const ours = Object.keys(OWN);
  throw new ConfigError(
    `--objective ${name}: ` +
      `${looked}.${didYouMean(name, ours, ` Ours: ${ours.join(", ")}; install another with npm install.`)}`,
  );
}

function makerOf(module: object, from: string): ObjectiveMaker {
  const maker = (module as { readonly objective?: unknown }).objective;
  if (typeof maker !== "function")
    throw new ConfigError(
      `--objective ${from}: expected it to export a function "objective", got ` +
        `${Object.keys(module).join(", ") || "no exports"}. See @cloze/objective for the contract.`,
    );
  return maker as ObjectiveMaker;
}

const isPackageName = (name: string): boolean => /^(@[\w.-]+\/)?[\w-][\w.-]*$/.test(name);

/** The file that `import name` would load from a module in `cwd`. Node gives no API for this before version 22. */
async function packageEntry(name: string, cwd: string): Promise<string | undefined> {
  for (let folder = cwd; ; folder = dirname(folder)) {
    const dir = join(folder, "node_modules", name);
    const text = await readFile(join(dir, "package.json"), "utf8").catch(() => undefined);
    if (text !== undefined) {
      const { exports, main } = JSON.parse(text) as { readonly exports?: unknown; readonly main?: string };
      const entry = exports === undefined ? (main ?? "index.js") : target(isSubpaths(exports) ? exports["."] : exports);
      return entry === undefined ? undefined : join(dir, entry);
    }
    if (dirname(folder) === folder) return undefined;
  }
}

const isSubpaths = (exports: unknown): exports is Readonly<Record<string, unknown>> =>
  typeof exports === "object" && exports !== null && "." in exports;

/** The first condition that holds for an `import` in node, in the order in which the package lists them. */
function target(exports: unknown): string | undefined {
  if (typeof exports === "string") return exports;
  if (Array.isArray(exports)) return exports.map(target).find((found) => found !== undefined);
  if (typeof exports !== "object" || exports === null) return undefined;
  for (const [condition, value] of Object.entries(exports)) {
    const found = ["node", "import", "module-sync", "default"].includes(condition) ? target(value) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}
