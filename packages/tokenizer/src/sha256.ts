/**
 * SHA-256 of a text (as UTF-8), in hex: the digest that identifies a vocabulary in shards and checkpoints.
 *
 * It is synchronous and has no imports, so it runs in browsers and in Node. `printf %s "$text" | sha256sum` gives the
 * same digest. Cost: about 100 MB/s, once per tokenizer; not meant for corpora. Source: FIPS 180-4. The constants are
 * computed from their definition (fractional parts of roots of the first primes).
 */

const PRIMES: readonly number[] = Array.from({ length: 312 }, (_, n) => n).filter((n) => {
  if (n < 2) return false;
  for (let d = 2; d * d <= n; d++) if (n % d === 0) return false;
  return true;
});

/** First 32 bits of the fractional part. A double has 52 bits, and the integer part takes at most 5 of them. */
const fraction = (x: number): number => ((x - Math.floor(x)) * 2 ** 32) | 0;

const START: readonly number[] = PRIMES.slice(0, 8).map((p) => fraction(Math.sqrt(p)));
const ROUND: Int32Array = Int32Array.from(PRIMES.slice(0, 64), (p) => fraction(Math.cbrt(p)));

const rotate = (x: number, by: number): number => (x >>> by) | (x << (32 - by));

/**
 * Pads a message to a whole number of 64-byte blocks: the message, a 1 bit, zeros, then the length in bits as a 64-bit
 * big-endian number.
 */
function padded(message: Uint8Array): DataView {
  const bytes = new Uint8Array(Math.ceil((message.length + 9) / 64) * 64);
  bytes.set(message);
  bytes[message.length] = 0x80;
  const view = new DataView(bytes.buffer);
  view.setUint32(bytes.length - 8, Math.floor(message.length / 2 ** 29));
  view.setUint32(bytes.length - 4, (message.length * 8) >>> 0);
  return view;
}

function schedule(view: DataView, block: number, w: Int32Array): void {
  for (let t = 0; t < 16; t++) w[t] = view.getInt32(block + 4 * t);
  for (let t = 16; t < 64; t++) {
    const a = w[t - 15] as number;
    const b = w[t - 2] as number;
    const s0 = rotate(a, 7) ^ rotate(a, 18) ^ (a >>> 3);
    const s1 = rotate(b, 17) ^ rotate(b, 19) ^ (b >>> 10);
    w[t] = (w[t - 16] as number) + s0 + (w[t - 7] as number) + s1;
  }
}

/**
 * @example
 * sha256("abc")  // => "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
 */
export function sha256(text: string): string {
  const view = padded(new TextEncoder().encode(text));
  const state = Int32Array.from(START);
  const w = new Int32Array(64);
  for (let block = 0; block < view.byteLength; block += 64) {
    schedule(view, block, w);
    let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = state;
    for (let t = 0; t < 64; t++) {
      const s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
      const t1 = (h + s1 + ((e & f) ^ (~e & g)) + (ROUND[t] as number) + (w[t] as number)) | 0;
      const s0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
      const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      h = g;
      g = f;
      f = e;
      e = (d + t1) | 0;
      d = c;
      c = b;
      b = a;
      a = (t1 + t2) | 0;
    }
    [a, b, c, d, e, f, g, h].forEach((x, i) => {
      state[i] = (state[i] as number) + x;
    });
  }
  return Array.from(state, (x) => (x >>> 0).toString(16).padStart(8, "0")).join("");
}
