/** The reader of a source's bytes. It unpacks gzip, which it knows by the first two bytes, not by the file's name. */
import { FormatError } from "@cloze/errors";
import proteins from "#sample/uniprot-sample.fasta.gz?url";
import austen from "../../sample/austen.txt?url";
import type { Side, Source } from "../protocol.ts";

const SAMPLES: Readonly<Record<Side, string>> = { protein: proteins, text: austen };

export async function readSource(side: Side, { name, bytes }: Source): Promise<Uint8Array> {
  const given = bytes ?? (await fetched(SAMPLES[side], name));
  return given[0] === 0x1f && given[1] === 0x8b ? inflated(given, name) : given;
}

async function fetched(url: string, name: string): Promise<Uint8Array> {
  const response = await fetch(url).catch((cause: unknown) => {
    throw new FormatError(
      name,
      "",
      "the sample could not be fetched: the page's server is away. Start it again, or open a file of your own.",
      { cause },
    );
  });
  if (!response.ok)
    throw new FormatError(
      name,
      "",
      `the sample could not be fetched: the server says ${response.status}. Reload the page.`,
    );
  return new Uint8Array(await response.arrayBuffer());
}

async function inflated(bytes: Uint8Array, name: string): Promise<Uint8Array> {
  try {
    const stream = new Blob([bytes.slice()]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  } catch (cause) {
    throw new FormatError(
      name,
      "",
      "expected gzip data, got damaged data, or several gzip parts in one file (bgzip). Unpack it and open what " +
        "comes out.",
      { cause },
    );
  }
}
