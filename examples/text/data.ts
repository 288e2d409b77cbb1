// Texts that a program makes up, so that the examples need no download: facts about people and opinions of films. One
// call writes
//   corpus.txt         documents of sentences, with a blank line between documents
//   sentiment/*.tsv    sentence TAB label
//   entities/*.conll   word TAB tag
//   questions/*.json   in the form of SQuAD
// Each of the last three has a train file and a dev file. The same count and seed give the same files.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { RandomStream } from "@cloze/random";

const FIRST = ["Ann", "Bob", "Carla", "David", "Edith", "Felix", "Greta", "Hugo"];
const LAST = ["Miller", "Stone", "Rivers", "Baker", "Field", "Hill"];
const PLACES = ["Rome", "Oslo", "New Haven", "Lima", "Port Louis", "Vienna", "Kyoto"];
const WORK = ["teacher", "painter", "doctor", "sailor", "baker"];
const GOOD = ["superb", "moving", "brilliant", "funny", "gripping", "warm"];
const BAD = ["dull", "tedious", "clumsy", "flat", "weak", "tiresome"];
const THINGS = ["plot", "acting", "music", "ending", "film", "script"];
const FIRMNESS = ["", "very ", "really ", "quite "];

type Draw = (list: readonly string[]) => string;

function drawFrom(stream: RandomStream): Draw {
  let at = 0;
  return (list) => list[stream.below(list.length, at++)] as string;
}

/** A person: a name in words, a place to live, and an occupation. */
const person = (draw: Draw): { name: string; home: string; work: string } => ({
  name: `${draw(FIRST)} ${draw(LAST)}`,
  home: draw(PLACES),
  work: draw(WORK),
});

function opinion(draw: Draw): { text: string; label: "good" | "bad" } {
  const label = draw(["good", "bad"]) as "good" | "bad";
  const word = (): string => draw(label === "good" ? GOOD : BAD);
  const [a, b] = [draw(THINGS), draw(THINGS)];
  const forms = [
    `the ${a} is ${draw(FIRMNESS)}${word()}`,
    `a ${word()} ${a} and a ${word()} ${b}`,
    `I found the ${a} ${draw(FIRMNESS)}${word()} .`,
    `${word()} , ${word()} : what a ${a}`,
  ];
  return { text: draw(forms), label };
}

const facts = ({ name, home, work }: ReturnType<typeof person>): string[] => [
  `${name} lives in ${home} .`,
  `${name} is a ${work} .`,
];

function tagged(draw: Draw): string {
  const { name, work, home } = person(draw);
  const forms = [
    `${name} lives in ${home} .`,
    `the ${work} ${name} went to ${home}`,
    `in ${home} they met ${name} .`,
    `a ${work} in ${home}`,
  ];
  const text = draw(forms);
  const type = new Map([
    [name, "PER"],
    [home, "LOC"],
  ]);
  let rest = text;
  for (const [part, kind] of type)
    rest = rest.replace(
      part,
      part
        .split(" ")
        .map((word, i) => `${word}/${i === 0 ? "B" : "I"}-${kind}`)
        .join(" "),
    );
  return `${rest
    .split(" ")
    .map((word) => (word.includes("/") ? word.replace("/", "\t") : `${word}\tO`))
    .join("\n")}\n`;
}

function question(draw: Draw, id: string): object {
  const about = person(draw);
  const { name, home, work } = about;
  const said = opinion(draw).text;
  const told = facts(about);
  const context = (draw(["first", "last"]) === "first" ? [said, ...told] : [...told.reverse(), said]).join(" ");
  const [asked, text, before] =
    draw(["home", "work"]) === "home"
      ? [`Where does ${name} live ?`, home, `${name} lives in `]
      : [`What is the work of ${name} ?`, work, `${name} is a `];
  return {
    context,
    qas: [{ id, question: asked, answers: [{ text, answer_start: context.indexOf(before) + before.length }] }],
  };
}

/** Writes all files into `dir`: `count` examples to train on for each task, a quarter of that to evaluate on. */
export function writeData(dir: string, count: number, seed = 0): void {
  const all = new RandomStream(seed);
  const each = <T>(what: string, n: number, make: (draw: Draw, i: number) => T): T[] =>
    Array.from({ length: n }, (_, i) => make(drawFrom(all.split(what).split(i)), i));
  for (const folder of ["sentiment", "entities", "questions"]) mkdirSync(join(dir, folder), { recursive: true });
  const documents = each("corpus", count, (draw) =>
    [...facts(person(draw)), opinion(draw).text, opinion(draw).text].join("\n"),
  );
  writeFileSync(join(dir, "corpus.txt"), `${documents.join("\n\n")}\n`);
  for (const [part, n] of [
    ["train", count],
    ["dev", Math.ceil(count / 4)],
  ] as const) {
    writeFileSync(
      join(dir, "sentiment", `${part}.tsv`),
      each(`sentiment ${part}`, n, (draw) => {
        const { text, label } = opinion(draw);
        return `${text}\t${label}\n`;
      }).join(""),
    );
    writeFileSync(join(dir, "entities", `${part}.conll`), each(`entities ${part}`, n, tagged).join("\n"));
    writeFileSync(
      join(dir, "questions", `${part}.json`),
      JSON.stringify({
        version: "1.1",
        data: [{ title: part, paragraphs: each(`questions ${part}`, n, (draw, i) => question(draw, `${part}-${i}`)) }],
      }),
    );
  }
}
