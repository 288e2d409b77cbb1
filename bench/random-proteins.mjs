// A generator of random proteins as FASTA text. Residues have UniProt's frequencies, lengths are log-normal with a
// median of 280, and headers have the form of UniRef. It yields Buffers of about 1 MB; equal arguments give equal text.

const FREQUENCIES = {
  L: 9.9,
  A: 8.3,
  G: 7.1,
  V: 6.9,
  E: 6.2,
  S: 6.6,
  I: 5.9,
  K: 5.8,
  R: 5.5,
  D: 5.5,
  T: 5.3,
  P: 4.7,
  N: 4.1,
  Q: 3.9,
  F: 3.9,
  Y: 2.9,
  M: 2.4,
  H: 2.3,
  C: 1.4,
  W: 1.1,
};

export function* proteins(residues, { seed = 1, medianLength = 280, longest = 35_000 } = {}) {
  const total = Object.values(FREQUENCIES).reduce((a, b) => a + b, 0);
  const table = Buffer.alloc(4096);
  let filled = 0;
  let sum = 0;
  for (const [residue, share] of Object.entries(FREQUENCIES)) {
    sum += share;
    const until = Math.round((4096 * sum) / total);
    table.fill(residue, filled, until);
    filled = until;
  }
  let state = seed >>> 0;
  const next = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0);
  const uniform = () => (next() + 0.5) / 2 ** 32;
  let out = Buffer.alloc(1 << 20);
  let at = 0;
  let record = 0;
  for (let made = 0; made < residues;) {
    const normal = Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
    const length = Math.max(12, Math.min(longest, residues - made, Math.round(medianLength * Math.exp(0.7 * normal))));
    const header =
      `>UniRef50_A0A${next().toString(36).toUpperCase().padStart(7, "0")} Uncharacterized protein ` +
      `n=${1 + (next() >>> 28)} Tax=Bacterium sp. TaxID=${next() >>> 12} RepID=A0A${record}_9BACT\n`;
    if (at + header.length + 2 * length + 2 > out.length) {
      yield out.subarray(0, at);
      out = Buffer.alloc(Math.max(1 << 20, header.length + 2 * length + 2));
      at = 0;
    }
    at += out.write(header, at, "latin1");
    for (let i = 1; i <= length; i++) {
      out[at++] = table[next() >>> 20];
      if (i % 60 === 0 || i === length) out[at++] = 10;
    }
    made += length;
    record++;
  }
  yield out.subarray(0, at);
}
