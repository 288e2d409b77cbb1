/**
 * The command `cloze objective new`: makes a package with a working objective that passes the test kit. The user then
 * changes it into another objective.
 */
import { basename, relative } from "node:path";
import { command, type Command } from "../command.ts";

export const objectiveNew: Command = command({
  arguments: {
    name: "NAME",
    help: "name of the package, as npm takes it: my-objective or @me/my-objective",
    min: 1,
    max: 1,
  },
  options: { out: { kind: "string", value: "DIR", help: "folder to make, or an empty one (default: the name)" } },
  writes: { how: "whole", of: ({ options, args: [name = ""] }) => options.out ?? basename(name) },
  examples: [
    { does: "A package in ./token-order", line: "cloze objective new token-order" },
    { does: "Elsewhere", line: "cloze objective new @me/token-order --out packages/token-order" },
  ],
  notes: [
    "Then, in the new folder: npm install && npm test. What an objective promises is in " +
      "docs/how-to/add-an-objective.md.",
  ],
  async run({ options, args: [name = ""], io, path }) {
    const { makeObjective } = await import("../objective-template.ts");
    const { folder, files } = await makeObjective({ name, folder: path(options.out ?? basename(name)), cwd: io.cwd });
    const place = relative(io.cwd, folder) || ".";
    return {
      json: { name, folder, files },
      text: [
        `Made ${name} in ${place}: an objective that works, to be made yours in ${place}/src/index.js.`,
        `  cd ${place} && npm install && npm test`,
        `Then, in a folder with cloze: npm install ${folder} && npx cloze pretrain --objective ${name} --data FILE`,
      ],
    };
  },
});
