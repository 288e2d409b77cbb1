/**
 * A smaller PNG of a screenshot: channels are rounded to steps of 8, which a reader does not see on a page, and pixels
 * become indices into a palette where the colours are few enough.
 *
 * Source: W3C, Portable Network Graphics (second edition), sections 5.3 (chunks), 9.2 (filters), 11.2 (IHDR, PLTE).
 */
import { deflateSync, inflateSync } from "node:zlib";
import { crc32 } from "../apps/demo/src/zip.ts";

const STEP = 8;
const PALETTE = 256;

interface Pixels {
  readonly width: number;
  readonly height: number;
  /** `[height, width]` red, green and blue in 24 bits. */
  readonly colours: Uint32Array;
}

export function smallPng(png: Buffer): Buffer {
  const { width, height, colours } = decoded(png);
  const rounded = colours.map(
    (colour) => (nearest(colour >> 16) << 16) | (nearest((colour >> 8) & 255) << 8) | nearest(colour & 255),
  );
  const palette = [...new Set(rounded)];
  const isIndexed = palette.length <= PALETTE;
  const indexOf = new Map(palette.map((colour, i) => [colour, i]));
  const bytes = isIndexed ? 1 : 3;
  const rows = Buffer.alloc(height * (1 + width * bytes));
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const colour = rounded[y * width + x] as number;
      const at = y * (1 + width * bytes) + 1 + x * bytes;
      if (isIndexed) rows[at] = indexOf.get(colour) as number;
      else rows.writeUIntBE(colour, at, 3);
    }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, isIndexed ? 3 : 2, 0, 0, 0], 8);
  const table = Buffer.from(palette.flatMap((colour) => [colour >> 16, (colour >> 8) & 255, colour & 255]));
  return Buffer.concat([
    png.subarray(0, 8),
    chunk("IHDR", header),
    ...(isIndexed ? [chunk("PLTE", table)] : []),
    chunk("IDAT", deflateSync(rows, { level: 9, memLevel: 9 })),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

/** 0 and 255 stay, so black and white do. */
const nearest = (value: number): number => Math.min(255, Math.round(value / STEP) * STEP);

/** The pixels of a PNG with 8 bits a channel, in colour, without interlacing: what Chromium writes. */
function decoded(png: Buffer): Pixels {
  const data: Buffer[] = [];
  for (let at = 8; at < png.length; at += 12 + png.readUInt32BE(at))
    if (png.toString("latin1", at + 4, at + 8) === "IDAT")
      data.push(png.subarray(at + 8, at + 8 + png.readUInt32BE(at)));
  const [width, height, depth, type, interlaced] = [
    png.readUInt32BE(16),
    png.readUInt32BE(20),
    ...[24, 25, 28].map((at) => png[at]),
  ] as [number, number, number, number, number];
  if (depth !== 8 || (type !== 2 && type !== 6) || interlaced !== 0)
    throw new RangeError(`small-png: expected 8 bits of colour, got depth ${depth}, type ${type}`);
  const channels = type === 6 ? 4 : 3;
  const stride = width * channels;
  const raw = inflateSync(Buffer.concat(data));
  const lines = Buffer.alloc(height * stride);
  for (let y = 0; y < height; y++) {
    const filter = raw[y * (stride + 1)];
    for (let x = 0; x < stride; x++) {
      const left = x < channels ? 0 : (lines[y * stride + x - channels] as number);
      const up = y === 0 ? 0 : (lines[(y - 1) * stride + x] as number);
      const corner = x < channels || y === 0 ? 0 : (lines[(y - 1) * stride + x - channels] as number);
      const guess = [0, left, up, (left + up) >> 1, paeth(left, up, corner)][filter ?? 0] as number;
      lines[y * stride + x] = (raw[y * (stride + 1) + 1 + x] as number) + guess;
    }
  }
  const colours = Uint32Array.from({ length: width * height }, (_, i) => lines.readUIntBE(i * channels, 3));
  return { width, height, colours };
}

function paeth(left: number, up: number, corner: number): number {
  const guess = left + up - corner;
  const [a, b, c] = [Math.abs(guess - left), Math.abs(guess - up), Math.abs(guess - corner)];
  return a <= b && a <= c ? left : b <= c ? up : corner;
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  check.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, check]);
}
