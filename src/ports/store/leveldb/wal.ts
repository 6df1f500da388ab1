/**
 * Makes sure, before LevelDB opens, that a crash loses a *suffix* of the writes. LevelDB alone could bring back later
 * writes without earlier ones, in two ways. At a damaged spot in a write-ahead file it skips the rest of the block of
 * 32 KiB and goes on after it. And of two live files (while the rows of the older are being moved into a table), it
 * replays the newer one even if the older one has lost writes.
 *
 * Every write to LevelDB is one record, a batch, whose sequence numbers go on where the batch before ended:
 *
 *   batch   sequence number of its first row u64 | number of rows u32 | rows
 *
 * So the live files, in the order of their numbers, are one unbroken count. Where the count breaks, the file is cut after
 * the last whole batch, and later files are deleted. Undamaged files are only read.
 *
 * The log replays what was cut. That may include rows of `insertIfAbsent`, although they were synced: rows after a damaged
 * spot; and, after a power failure, rows in the newer of two live files where the older one had not reached the disk,
 * because a sync covers one file. Replaying the events that inserted them inserts them again.
 */

import { open, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { syncFolder } from '../../folder.ts'
import { levelCode } from './guard.ts'
import { type Manifest, readManifest } from './manifest.ts'
import { readRecords } from './records.ts'

export interface WalDamage {
  readonly name: string
  /** The file is whole up to here; so are the files before it. */
  readonly goodBytes: number
  readonly fileBytes: number
  /** The names of the files after it, in order. */
  readonly later: readonly string[]
}

interface Wal {
  readonly name: string
  readonly number: number
}

/** Only reads. @returns `undefined` for undamaged files, and for a folder that LevelDB will refuse to open */
export async function findWalDamage(folder: string): Promise<WalDamage | undefined> {
  try {
    const manifest = await readManifest(folder)
    const names = await readdir(folder)
    if (manifest === undefined || !hasTables(manifest, names)) return undefined
    return await findBreak(folder, liveWals(manifest, names), manifest)
  } catch (error) {
    // The folder is new, or another process has it open and is deleting files that it no longer needs.
    if (levelCode(error) === 'ENOENT') return undefined
    throw error
  }
}

/** The caller must hold LevelDB's lock on the folder. A crash in the middle is harmless: it can run again. */
export async function mendWal(folder: string, onNotice: (text: string) => void): Promise<void> {
  const damage = await findWalDamage(folder)
  if (damage === undefined) return
  const { name, goodBytes, fileBytes, later } = damage
  // The damaged spot is cut last: as long as it is there, it shows that the later files have to be deleted.
  for (const each of later.toReversed()) await rm(join(folder, each))
  if (later.length > 0) await syncFolder(folder)
  await truncateDurably(join(folder, name), goodBytes)
  const files = later.length === 0 ? '' : ` and deleted ${later.join(', ')}`
  onNotice(
    `the write-ahead file ${join(folder, name)} is damaged from byte ${goodBytes} on, as after a crash or with a failing disk; cut its last ${fileBytes - goodBytes} bytes${files}; the log replays what they held`,
  )
}

function hasTables(manifest: Manifest, names: readonly string[]): boolean {
  const present = new Set(names.filter((name) => /^\d+\.(ldb|sst)$/.test(name)).map(numberOf))
  return [...manifest.tables].every((table) => present.has(table))
}

function liveWals(manifest: Manifest, names: readonly string[]): readonly Wal[] {
  return names
    .filter((name) => /^\d+\.log$/.test(name))
    .map((name) => ({ name, number: numberOf(name) }))
    .filter(({ number }) => number >= manifest.wal || number === manifest.previousWal)
    .sort((a, b) => a.number - b.number)
}

const numberOf = (name: string): number => Number.parseInt(name, 10)

async function findBreak(
  folder: string,
  wals: readonly Wal[],
  manifest: Manifest,
): Promise<WalDamage | undefined> {
  const count = new RowCount(manifest)
  for (const [index, { name, number }] of wals.entries()) {
    if (number > manifest.wal) count.leaveFirstFile()
    const { end, goodBytes, fileBytes } = await readRecords(
      join(folder, name),
      BATCH_HEADER_BYTES,
      (bytes, start, end) => count.goesOn(bytes, start, end),
    )
    if (end === 'clean') continue
    return { name, goodBytes, fileBytes, later: wals.slice(index + 1).map((wal) => wal.name) }
  }
  return undefined
}

const BATCH_HEADER_BYTES = 12
const U32 = 2 ** 32

/** The range of sequence numbers with which the next batch may begin: a single one, once a batch has been read. */
class RowCount {
  #lowest: number
  #highest: number

  /**
   * A file that was begun when LevelDB opened starts with the number after `walNamedAt`. One that was begun later may
   * have had rows before the MANIFEST named it, so it may start with a lower number.
   */
  constructor({ walNamedAt, isWalOfOpening, previousWal }: Manifest) {
    this.#lowest = isWalOfOpening && previousWal === 0 ? walNamedAt + 1 : 0
    this.#highest = previousWal === 0 ? walNamedAt + 1 : Infinity
  }

  /**
   * A running LevelDB begins a file only for a batch, or for a checkpoint that writes to it next. So if the first file
   * has no batch and a later one has, the content of the first is lost.
   */
  leaveFirstFile(): void {
    if (this.#lowest < this.#highest) this.#lowest = Infinity
  }

  goesOn(bytes: Buffer, start: number, end: number): boolean {
    if (end - start < BATCH_HEADER_BYTES) return false
    const sequence = bytes.readUInt32LE(start) + bytes.readUInt32LE(start + 4) * U32
    if (sequence < this.#lowest || sequence > this.#highest) return false
    this.#lowest = this.#highest = sequence + bytes.readUInt32LE(start + 8)
    return true
  }
}

async function truncateDurably(path: string, bytes: number): Promise<void> {
  const file = await open(path, 'r+')
  try {
    await file.truncate(bytes)
    await file.sync()
  } finally {
    await file.close()
  }
}
