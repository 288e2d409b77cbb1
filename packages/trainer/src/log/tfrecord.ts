/**
 * The TFRecord framing, which TensorBoard's event files use:
 *
 *     uint64 length | uint32 masked crc of those 8 bytes | data | uint32 masked crc of data        (little-endian)
 *
 * The checksum is CRC-32C (Castagnoli), rotated and offset ("masked"), so that a checksum over data that contains
 * checksums stays useful. Source: tensorflow/core/lib/io/record_writer.h and core/lib/hash/crc32c.h; RFC 3720 B.4 has
 * check values.
 */

const table: Uint32Array = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1; // 0x1edc6f41, bits reversed
  return crc;
});

/** CRC-32C, as an unsigned 32-bit number. */
export function crc32c(bytes: Uint8Array): number {
  let crc = ~0;
  for (const byte of bytes) crc = table[(crc ^ byte) & 0xff]! ^ (crc >>> 8);
  return ~crc >>> 0;
}

/** One record around `data`. */
export function frameRecord(data: Uint8Array): Uint8Array {
  const record = new Uint8Array(8 + 4 + data.length + 4);
  const view = new DataView(record.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, maskedCrc(record.subarray(0, 8)), true);
  record.set(data, 12);
  view.setUint32(12 + data.length, maskedCrc(data), true);
  return record;
}

function maskedCrc(bytes: Uint8Array): number {
  const crc = crc32c(bytes);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}
