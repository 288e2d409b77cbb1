/**
 * A writer and a reader of zip archives, with only the features that a checkpoint needs. The writer does not compress
 * (weights do not compress). The reader also takes archives that another program has compressed with deflate. Archives
 * above 4 GiB and encrypted archives are refused.
 *
 *   [local header, bytes] for each file · the central directory · its end record
 *
 * Source: PKWARE's APPNOTE 6.3.10, sections 4.3.7 (local header), 4.3.12 (central directory), 4.3.16 (end).
 */

const LOCAL = 0x04034b50;
const CENTRAL = 0x02014b50;
const END = 0x06054b50;
const UTF8_NAMES = 0x0800;
const STORED = 0;
const DEFLATED = 8;
const VERSION = 20;
const LOCAL_BYTES = 30;
const CENTRAL_BYTES = 46;
const END_BYTES = 22;
const MOST = 2 ** 32 - 1;
/** 1 January 1980, the first date in zip. A fixed date makes the same files give the same archive. */
const DATE = 0x0021;

const CRC: Uint32Array = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

/** CRC-32 of the bytes, as in zip and PNG. */
export function crc32(bytes: Uint8Array): number {
  let value = 0xffffffff;
  for (const byte of bytes) value = (CRC[(value ^ byte) & 0xff] as number) ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}

/** An archive of the files. Throws: RangeError for more than 4 GiB. */
export function writeZip(files: Readonly<Record<string, Uint8Array>>): Uint8Array<ArrayBuffer> {
  const entries = Object.entries(files).map(([name, data]) => ({
    name: new TextEncoder().encode(name),
    data,
    crc: crc32(data),
  }));
  const size = entries.reduce(
    (n, { name, data }) => n + LOCAL_BYTES + CENTRAL_BYTES + 2 * name.length + data.length,
    END_BYTES,
  );
  if (size > MOST)
    throw new RangeError(
      `zip: expected at most 4 GiB, got ${(size / 2 ** 30).toFixed(1)} GiB. Save the run in the browser, or ` +
        "train a smaller model.",
    );
  const out = new Uint8Array(size);
  const view = new DataView(out.buffer);
  let at = 0;
  const fields = (...values: readonly (readonly [bytes: 2 | 4, value: number])[]): void => {
    for (const [bytes, value] of values) {
      if (bytes === 2) view.setUint16(at, value, true);
      else view.setUint32(at, value, true);
      at += bytes;
    }
  };
  const bytes = (data: Uint8Array): void => {
    out.set(data, at);
    at += data.length;
  };
  const shared = ({ name, data, crc }: (typeof entries)[number]): void =>
    fields(
      [2, VERSION],
      [2, UTF8_NAMES],
      [2, STORED],
      [2, 0],
      [2, DATE],
      [4, crc],
      [4, data.length],
      [4, data.length],
      [2, name.length],
      [2, 0],
    );
  const offsets = entries.map((entry) => {
    const offset = at;
    fields([4, LOCAL]);
    shared(entry);
    bytes(entry.name);
    bytes(entry.data);
    return offset;
  });
  const directory = at;
  for (const [i, entry] of entries.entries()) {
    fields([4, CENTRAL], [2, VERSION]);
    shared(entry);
    fields([2, 0], [2, 0], [2, 0], [4, 0], [4, offsets[i] as number]);
    bytes(entry.name);
  }
  const length = at - directory;
  fields([4, END], [2, 0], [2, 0], [2, entries.length], [2, entries.length], [4, length], [4, directory], [2, 0]);
  return out;
}

/**
 * The files of an archive by name, without folders. Where one folder holds all files, the names are without it.
 * Throws: Error, with a text for the user, for bytes that are not a complete archive.
 */
export async function readZip(archive: Uint8Array): Promise<Readonly<Record<string, Uint8Array>>> {
  const view = new DataView(archive.buffer, archive.byteOffset, archive.byteLength);
  const fail = (what: string): never => {
    throw new Error(`This is no zip archive that can be read: ${what}. Choose the .zip file that this page has saved.`);
  };
  let end = archive.length - END_BYTES;
  while (end >= 0 && view.getUint32(end, true) !== END) end--;
  if (end < 0) return fail("it has no end record");
  const count = view.getUint16(end + 10, true);
  const found: [string, Uint8Array][] = [];
  let at = view.getUint32(end + 16, true);
  for (let i = 0; i < count; i++) {
    if (at + CENTRAL_BYTES > end || view.getUint32(at, true) !== CENTRAL) return fail("its directory is damaged");
    const method = view.getUint16(at + 10, true);
    const crc = view.getUint32(at + 16, true);
    const size = view.getUint32(at + 20, true);
    const nameLength = view.getUint16(at + 28, true);
    const local = view.getUint32(at + 42, true);
    const name = new TextDecoder().decode(archive.subarray(at + CENTRAL_BYTES, at + CENTRAL_BYTES + nameLength));
    at += CENTRAL_BYTES + nameLength + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
    if (name.endsWith("/")) continue;
    if (local + LOCAL_BYTES > archive.length || view.getUint32(local, true) !== LOCAL)
      return fail(`${name} is not where it should be`);
    const start = local + LOCAL_BYTES + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
    const packed = archive.subarray(start, start + size);
    if (packed.length !== size) return fail(`${name} is cut off`);
    const data =
      method === STORED
        ? packed
        : method === DEFLATED
          ? await inflated(packed).catch(() => fail(`${name} is damaged`))
          : fail(`${name} is packed in a way that is not known here (${method})`);
    if (crc32(data) !== crc) return fail(`${name} is damaged`);
    found.push([name, data]);
  }
  const folder = found[0]?.[0].match(/^[^/]+\//)?.[0] ?? "";
  const inFolder = folder !== "" && found.every(([name]) => name.startsWith(folder));
  return Object.fromEntries(found.map(([name, data]) => [inFolder ? name.slice(folder.length) : name, data]));
}

async function inflated(bytes: Uint8Array): Promise<Uint8Array> {
  const stream = new Blob([bytes.slice()]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
