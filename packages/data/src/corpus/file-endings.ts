/** Endings of file names, by which a name is known to be a file and not a data set or model of the Hub. */

const ENDINGS =
  "fasta fa faa fas fsa fna ffn frn fastq fq a2m a3m sto stk aln clustal phy pdb cif gb gbk embl dat " +
  "txt text md jsonl ndjson json csv tsv tab parquet pq arrow feather xls xlsx xml html conll conllu bio iob ann " +
  "gz bz2 xz zst zip tar tgz 7z safetensors bin pt pth ckpt index npy npz h5 hdf5 onnx gguf msgpack pkl pickle " +
  "yaml yml toml log bak tmp py js ts sh ipynb git";

const PATTERN = new RegExp(`\\.(?:${ENDINGS.replaceAll(" ", "|")})$`, "i");

/**
 * Whether a name ends as a file does.
 *
 * @example
 * hasFileEnding("data/train.fasta")  // => true
 * hasFileEnding("dmis-lab/biobert-v1.1")  // => false
 */
export const hasFileEnding = (name: string): boolean => PATTERN.test(name);
