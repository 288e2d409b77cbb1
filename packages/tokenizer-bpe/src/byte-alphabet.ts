/**
 * The byte alphabet: one printable character for each byte, so that merges and vocabularies of bytes can be text.
 *
 * A printable byte of Latin-1 is its own character. The other 68 bytes, in order, are U+0100, U+0101, … (the space is
 * Ġ, the line feed Ċ). Source: Radford et al. 2019 (GPT-2), `bytes_to_unicode`.
 */

/** [256] The character of each byte. */
export function byteCharacters(): readonly string[] {
  let others = 0x100;
  return Array.from({ length: 256 }, (_, byte) => String.fromCodePoint(isPrintable(byte) ? byte : others++));
}

function isPrintable(byte: number): boolean {
  return (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
}

/**
 * Calls `take(byte, from, to)` for each UTF-8 byte of a text. [from, to) is the place of the byte's character in UTF-16
 * units. A lone surrogate becomes U+FFFD, with a call of `replaced`.
 */
export function forEachByte(
  text: string,
  take: (byte: number, from: number, to: number) => void,
  replaced?: () => void,
): void {
  for (let i = 0, size = 1; i < text.length; i += size) {
    let code = text.codePointAt(i) as number;
    size = code > 0xffff ? 2 : 1;
    const to = i + size;
    if (code >= 0xd800 && code < 0xe000) {
      code = 0xfffd;
      replaced?.();
    }
    if (code < 0x80) {
      take(code, i, to);
      continue;
    }
    if (code < 0x800) take(0xc0 | (code >> 6), i, to);
    else {
      if (code < 0x10000) take(0xe0 | (code >> 12), i, to);
      else {
        take(0xf0 | (code >> 18), i, to);
        take(0x80 | ((code >> 12) & 0x3f), i, to);
      }
      take(0x80 | ((code >> 6) & 0x3f), i, to);
    }
    take(0x80 | (code & 0x3f), i, to);
  }
}
