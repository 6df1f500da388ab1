/**
 * A process that leaves two live write-ahead files, with several batches in each, when it is killed: LevelDB cannot finish
 * the table for the rows of the older file, because in its place there is a named pipe that nobody reads. The process
 * prints where each batch ends.
 *
 *   node wal-child.ts FOLDER CHECKPOINT_AFTER_VERSION
 */

import { execFileSync } from 'node:child_process'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { createRealEnv } from '../../../../src/ports/env/real.ts'
import { openLevelStore } from '../../../../src/ports/store/leveldb/leveldb.ts'
import { posts, rowsOf } from './rows.ts'

const [folder, checkpointText] = process.argv.slice(2)
const checkpointAfter = Number(checkpointText)
const NEWER_BYTES = 150_000
const tuning = { writeBufferBytes: 300_000, cacheBytes: 0 }

const newestWal = () =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.log'))
    .sort()
    .at(-1)!

function blockTables(): void {
  const numbers = readdirSync(folder).filter((name) => /^\d/.test(name))
  const next = Math.max(...numbers.map((name) => Number.parseInt(name, 10))) + 1
  for (let number = next; number < next + 10; number++) {
    execFileSync('mkfifo', [join(folder, `${String(number).padStart(6, '0')}.ldb`)])
  }
}

/** Some values are longer than two blocks, so that a batch has a middle part. */
const batchOf = (version: number) =>
  version % 20 === 7
    ? [
        ...rowsOf(version),
        {
          table: posts,
          partition: 'long',
          sort: String(version),
          version,
          value: Buffer.alloc(70_000, version),
        },
      ]
    : rowsOf(version)

const onFatal = () => process.exit(1)
const store = await openLevelStore({ env: createRealEnv(), folder, onFatal, tuning })
for (let version = 1; version <= checkpointAfter; version++) await store.write(batchOf(version))
if (checkpointAfter > 0) await store.checkpoint([checkpointAfter])
blockTables()
const older = newestWal()
let isDone = false
for (let version = checkpointAfter + 1; !isDone; version++) {
  await store.write(batchOf(version))
  const wal = newestWal()
  const end = statSync(join(folder, wal)).size
  process.stdout.write(`batch ${version} ${wal} ${end}\n`)
  isDone = wal !== older && end >= NEWER_BYTES
}
process.stdout.write('done\n')
setInterval(() => {}, 60_000)
