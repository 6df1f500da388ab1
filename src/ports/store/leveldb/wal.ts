/**
 * Makes true, before LevelDB opens, that a crash loses a *suffix* of the writes. LevelDB alone would bring
 * back later ones without earlier ones: at a damaged spot in a write-ahead file it skips the rest of a
 * block of 32 KiB and goes on behind it; and with two of them live (while the rows of the older are on
 * their way into a table) it replays the newer whatever the older lacks.
 *
 * Every write to LevelDB is one record, a batch, and counts its rows on from the one before:
 *
 *   batch   sequence number of its first row u64 | rows u32 | rows
 *
 * So the live files, in the order of their numbers, are one unbroken count. Where it breaks, the file is
 * cut behind the last whole batch before, and the later files are deleted. Undamaged files are only read.
 *
 * What is cut, the log replays. It may hold rows of `insertIfAbsent`, synced or not: those behind a damaged
 * spot; and, when the power fails, those in the newer of two live files where the older had not reached the
 * disk, because a sync covers one file. Whoever inserts them does so again on replay.
 */

import { open, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { levelCode } from './guard.ts'
import { type Manifest, readManifest } from './manifest.ts'
import { readRecords } from './records.ts'

export interface WalDamage {
  readonly name: string
  /** Up to here the file is whole, and everything in the files before it. */
  readonly goodBytes: number
  readonly fileBytes: number
  /** The names of the files after it, in order. */
  readonly later: readonly string[]
}

interface Wal {
  readonly name: string
  readonly number: number
}

/** Changes nothing. @returns nothing also where LevelDB will refuse to open the folder */
export async function findWalDamage(folder: string): Promise<WalDamage | undefined> {
  try {
    const manifest = await readManifest(folder)
    const names = await readdir(folder)
    if (manifest === undefined || !hasTables(manifest, names)) return undefined
    return await findBreak(folder, liveWals(manifest, names), manifest)
  } catch (error) {
    // A new folder, or another process has it and is deleting what it no longer needs.
    if (levelCode(error) === 'ENOENT') return undefined
    throw error
  }
}

/** Only for who holds LevelDB's lock on the folder. It may be interrupted anywhere and run again. */
export async function mendWal(folder: string, onNotice: (text: string) => void): Promise<void> {
  const damage = await findWalDamage(folder)
  if (damage === undefined) return
  const { name, goodBytes, fileBytes, later } = damage
  // The damaged spot goes last: as long as it is there, it says that the later files have to go.
  for (const each of later.toReversed()) await rm(join(folder, each))
  if (later.length > 0) await syncFolder(folder)
  await truncateDurably(join(folder, name), goodBytes)
  const files = later.length === 0 ? '' : ` and deleted ${later.join(', ')}`
  onNotice(
    `the write-ahead file ${join(folder, name)} is whole only up to byte ${goodBytes}, as after a crash or with a failing disk: cut its last ${fileBytes - goodBytes} bytes${files}; the log replays what they held`,
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

/** Which sequence numbers the next batch may begin with: one, as soon as that is known. */
class RowCount {
  #lowest: number
  #highest: number

  /**
   * A file that was begun when LevelDB opened goes on where the opening stood. A later one was begun some
   * time before the MANIFEST named it, when rows may have been in it already.
   */
  constructor({ walNamedAt, isWalOfOpening, previousWal }: Manifest) {
    this.#lowest = isWalOfOpening && previousWal === 0 ? walNamedAt + 1 : 0
    this.#highest = previousWal === 0 ? walNamedAt + 1 : Infinity
  }

  /**
   * While LevelDB runs it begins a file for a batch, or for a checkpoint, which writes to it next: where
   * such a file has no batch and a later one has, all of it is lost.
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

async function syncFolder(folder: string): Promise<void> {
  // Windows cannot sync a folder.
  if (process.platform === 'win32') return
  const handle = await open(folder, 'r')
  await handle.sync().finally(() => handle.close())
}
