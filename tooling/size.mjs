// The size of each package: lines of code, tests and comments. The table makes growth visible. A package over 3,000
// lines probably holds two packages.
import { codeOnly, files, isTest, packages, read } from "./workspace.mjs";

const limit = 3000;
const sources = files().filter((file) => /\.(ts|js|mjs)$/.test(file) && !file.includes("/goldens/"));
const filled = (text) => text.split("\n").filter((line) => line.trim() !== "").length;

const rows = [...packages(), { dir: "tooling" }].map(({ dir }) => {
  const row = { package: dir, files: 0, code: 0, comments: 0, tests: 0, longest: 0 };
  for (const file of sources.filter((each) => each.startsWith(`${dir}/`))) {
    const text = read(file);
    const all = filled(text);
    if (isTest(file)) {
      row.tests += all;
      continue;
    }
    const code = filled(codeOnly(file, text, { strings: true }));
    row.files += 1;
    row.code += code;
    row.comments += all - code; // lines that hold only a comment
    row.longest = Math.max(row.longest, text.split("\n").length - 1);
  }
  return row;
});
const total = rows.reduce((sum, row) => ({
  package: "total",
  files: sum.files + row.files,
  code: sum.code + row.code,
  comments: sum.comments + row.comments,
  tests: sum.tests + row.tests,
  longest: Math.max(sum.longest, row.longest),
}));

const share = ({ code, comments }) =>
  code + comments === 0 ? "" : `${Math.round((100 * comments) / (code + comments))} %`;
const table = [
  ["package", "files", "code", "comments", "share", "tests", "longest file"],
  ...[...rows, total].map((row) => [
    row.package,
    row.files,
    row.code,
    row.comments,
    share(row),
    row.tests,
    row.longest,
  ]),
];
const widths = table[0].map((_, column) => Math.max(...table.map((row) => String(row[column]).length)));
for (const row of table)
  console.log(
    row
      .map((cell, column) =>
        column === 0 ? String(cell).padEnd(widths[column]) : String(cell).padStart(widths[column]),
      )
      .join("  "),
  );
for (const { package: dir, code, comments } of rows)
  if (code + comments > limit) console.log(`${dir}: ${code + comments} lines, over ${limit}: is it two packages?`);
