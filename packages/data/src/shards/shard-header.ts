/**
 * The header of a shard: 1,024 bytes before the tokens, as 256 little-endian int32 [20240520, 1, token count, 0, …].
 * The format is that of modded-nanogpt.
 */
import { FormatError } from "@cloze/errors";

export const HEADER_BYTES = 1024;
/** The most tokens in a shard: the header's count is an int32. */
export const MAX_SHARD_TOKENS: number = 2 ** 31 - 1;
const MAGIC = 20240520;
const VERSION = 1;

export function shardHeader(tokens: number): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  view.setInt32(0, MAGIC, true);
  view.setInt32(4, VERSION, true);
  view.setInt32(8, tokens, true);
  return bytes;
}

/** Throws FormatError unless the bytes are the header of a shard of `tokens` tokens. */
export function checkShardHeader(file: string, bytes: Uint8Array, tokens: number): void {
  if (bytes.length < HEADER_BYTES)
    throw new FormatError(
      file,
      "",
      `expected a header of ${HEADER_BYTES} bytes, got ${bytes.length}: the file is cut off. Prepare or copy the ` +
        "shards again.",
    );
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [magic, version, count] = [view.getInt32(0, true), view.getInt32(4, true), view.getInt32(8, true)];
  if (magic !== MAGIC)
    throw new FormatError(
      file,
      "byte 0",
      `expected the shard magic ${MAGIC}, got ${magic}: this is no token shard. Prepare the shards again.`,
    );
  if (version !== VERSION)
    throw new FormatError(
      file,
      "byte 4",
      `expected shard version ${VERSION}, got ${version}. Prepare the shards again with this version of cloze.`,
    );
  if (count !== tokens)
    throw new FormatError(
      file,
      "byte 8",
      `expected ${tokens} tokens, as the index says, got ${count}. The shard and the index are not of one run: ` +
        "prepare or copy both again.",
    );
}
