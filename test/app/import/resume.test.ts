/**
 * An import that is killed and run again gives the same result as an undisturbed one. RIVULET_CRASH_ROUNDS sets how
 * often it is killed.
 */

import { existsSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createRandom } from '../../../src/ports/env/random.ts'
import { unfinishedImports } from '../../../src/app/import/run.ts'
import { openLevelStore } from '../../../src/ports/store/leveldb/leveldb.ts'
import { env, pause, run, start } from '../../cli/cli.ts'
import { describeWorld, tempFolder } from '../folders.ts'

const KILLS = Number(process.env.RIVULET_CRASH_ROUNDS ?? 2)
const KILLS_A_FOLDER = 2
const ACCOUNTS = 4_000

function writeFiles(folder: string): string[] {
  const random = createRandom(7)
  const one = () => `u${Math.floor(ACCOUNTS * random() ** 2)}`
  const edges = Array.from({ length: 30_000 }, () => `${one()},${one()}`)
  const posts = Array.from({ length: 6_000 }, (_, i) =>
    JSON.stringify({ author: one(), content: `post ${i}`, created_at: 1_500_000_000_000 + i * 60_000 }),
  )
  writeFileSync(join(folder, 'edges.csv'), edges.join('\n'))
  writeFileSync(join(folder, 'posts.jsonl'), posts.join('\n'))
  return ['import', '--edges', join(folder, 'edges.csv'), '--posts', join(folder, 'posts.jsonl'), '--data']
}

const sizeOf = (folder: string): number =>
  existsSync(folder)
    ? readdirSync(folder).reduce(
        (bytes, name) => bytes + (statSync(join(folder, name), { throwIfNoEntry: false })?.size ?? 0),
        0,
      )
    : 0

/** Kills the import once it has written this much. @returns whether it was still running */
async function killOnItsWay(args: readonly string[], data: string, bytes: number): Promise<boolean> {
  const store = join(data, 'store')
  const before = sizeOf(store)
  const { child, ended } = start(args)
  while (sizeOf(store) < before + bytes && child.exitCode === null) await pause(2)
  child.kill('SIGKILL')
  return (await ended).signal === 'SIGKILL'
}

async function unfinished(data: string): Promise<readonly string[]> {
  const store = await openLevelStore({ env, folder: join(data, 'store'), onFatal: () => undefined })
  return unfinishedImports(store).finally(() => store.close())
}

test(
  `killed ${KILLS} times on its way, an import still ends whole`,
  { timeout: 60_000 * KILLS },
  async () => {
    const folder = tempFolder()
    const args = writeFiles(folder)
    const whole = join(folder, 'whole')
    // Some of the rows follow themselves.
    expect((await run([...args, whole])).code).toBe(3)
    const expected = await describeWorld(whole)
    for (let kills = 0; kills < KILLS;) {
      const disturbed = join(folder, `disturbed-${kills}`)
      for (let round = 0; round < KILLS_A_FOLDER; round++) {
        const bytes = 20_000 + ((kills * 137_000) % 900_000)
        const isKilled = await killOnItsWay([...args, disturbed], disturbed, bytes)
        // What is left of one that was killed before may be done in less.
        if (!isKilled && round > 0) break
        expect([isKilled, await unfinished(disturbed)]).toEqual([true, [expect.any(String)]])
        kills++
      }
      expect((await run([...args, disturbed])).code).toBe(3)
      const resumed = await describeWorld(disturbed)
      expect(resumed.posts).toEqual(expected.posts)
      expect(resumed).toEqual(expected)
      const doctor = await run(['doctor', '--data', disturbed, '--readers', '2'])
      expect(doctor.stdout).toContain('all is well')
    }
  },
)
