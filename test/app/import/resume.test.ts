/** An import that is killed and run again ends as one that was never disturbed. RIVULET_CRASH_ROUNDS sets how often. */

import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createRandom } from '../../../src/ports/env/random.ts'
import { pause, run, start } from '../../cli/cli.ts'
import { describeWorld, tempFolder } from '../folders.ts'

const KILLS = Number(process.env.RIVULET_CRASH_ROUNDS ?? 2)
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

async function killAfter(args: readonly string[], data: string, delayMs: number): Promise<boolean> {
  const { child, ended } = start(args)
  while (!existsSync(join(data, 'store', 'CURRENT')) && child.exitCode === null) await pause(5)
  await pause(delayMs)
  child.kill('SIGKILL')
  return (await ended).signal === 'SIGKILL'
}

test(`killed ${KILLS} times on its way, an import still ends whole`, { timeout: 120_000 }, async () => {
  const folder = tempFolder()
  const args = writeFiles(folder)
  const [disturbed, whole] = [join(folder, 'disturbed'), join(folder, 'whole')]
  let killed = 0
  for (let round = 0; round < KILLS; round++) {
    // From the second round on the store is there at once, and the process takes its time to get so far.
    const delayMs = (round === 0 ? 200 : 500) + (round % 4) * 150
    if (await killAfter([...args, disturbed], disturbed, delayMs)) killed++
  }
  expect(killed).toBeGreaterThanOrEqual(Math.min(2, KILLS))
  const [last, only] = [await run([...args, disturbed]), await run([...args, whole])]
  // Some of the rows follow themselves.
  expect([last.code, only.code]).toEqual([3, 3])
  const [resumed, expected] = [await describeWorld(disturbed), await describeWorld(whole)]
  expect(resumed.posts).toEqual(expected.posts)
  expect(resumed).toEqual(expected)
  const doctor = await run(['doctor', '--data', disturbed, '--readers', '2'])
  expect(doctor.stdout).toContain('all is well')
})
