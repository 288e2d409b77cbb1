// The check for unwanted patterns in files. The table is smells.json. Its $comment tells how to excuse a line.
import { codeOnly, files, isTest, packages, read, readJson, report } from "./workspace.mjs";

const { lines, counted, names, maxLines, longLine, except } = readJson("tooling/smells.json");
const problems = [];
const counts = new Map(); // "package · smell" -> places

const isText = (file) =>
  /\.(ts|mts|js|mjs|json|ya?ml|md|py|sh|wgsl|html|css|svg)$|(^|\/)(run|\.gitignore|\.npmrc)$/.test(file) &&
  !except.includes(file);
const isLibrary = (file) => /^(packages|apps)\/[^/]+\/(src|bin)\/.*\.(ts|js)$/.test(file) && !isTest(file);
const excused = (text, at, name) =>
  [text[at], text[at - 1]].some((line) => line !== undefined && new RegExp(`allow ${name}: \\S`).test(line));
const dirs = packages().map(({ dir }) => dir);

for (const file of files().filter(isText)) {
  const source = read(file);
  const script = /\.(ts|mts|js|mjs)$/.test(file);
  const library = isLibrary(file);
  const test = script && isTest(file);
  const text = source.split("\n");
  const code = script ? codeOnly(file, source).split("\n") : text;
  const within = { library, test, any: true };

  for (const { name, find, say, in: where, on } of lines) {
    if (!within[where]) continue;
    const pattern = new RegExp(find);
    (on === "code" ? code : text).forEach((line, at) => {
      if (pattern.test(line) && !excused(text, at, name))
        problems.push(`${file}:${at + 1}: ${name}: ${say}\n    ${text[at].trim().slice(0, 120)}`);
    });
  }
  if (library) {
    for (const [name, { find }] of Object.entries(counted)) {
      const key = `${dirs.find((dir) => file.startsWith(`${dir}/`))} · ${name}`;
      text.forEach(
        (line, at) => new RegExp(find).test(line) && counts.set(key, [...(counts.get(key) ?? []), `${file}:${at + 1}`]),
      );
    }
  }
  if (script && !test) {
    // A line may be longer where it holds a test name, or a word that cannot be cut (data, an address).
    text.forEach((line, at) => {
      if (line.length > longLine.columns && !new RegExp(longLine.except).test(line))
        problems.push(`${file}:${at + 1}: ${line.length} columns, over ${longLine.columns}: wrap it`);
    });
  }
  if (script || file.endsWith(".py")) {
    if (new RegExp(names.find).test(file)) problems.push(`${file}: ${names.say}`);
    const count = text.length - 1;
    if (count > maxLines && !/allow long: \S/.test(text.slice(0, 20).join("\n"))) {
      problems.push(
        `${file}: ${count} lines, over ${maxLines}: two ideas? A table may stay, with "allow long: <reason>" in ` +
          "its header.",
      );
    }
  }
}

for (const [key, places] of counts) {
  const [dir, name] = key.split(" · ");
  const limit = counted[name].allow[dir] ?? 0;
  if (places.length > limit)
    problems.push(
      `${dir}: ${places.length} × ${name}, ${limit} allowed in tooling/smells.json:\n    ${places.join("\n    ")}`,
    );
}
for (const [name, { allow }] of Object.entries(counted)) {
  for (const [dir, limit] of Object.entries(allow)) {
    const found = counts.get(`${dir} · ${name}`)?.length ?? 0;
    if (found < limit)
      problems.push(`tooling/smells.json: ${dir} now has ${found} × ${name}; lower its allowance from ${limit}`);
  }
}

report(problems, `${lines.length + Object.keys(counted).length + 3} smells looked for, none found`);
