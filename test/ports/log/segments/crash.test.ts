/** Kills a process that appends, again and again: each start must find every record that was acknowledged. */

import { spawn } from 'node:child_process'
import { appendFile, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { createRealEnv } from '../../../../src/ports/env/real.ts'
import { openSegmentLog } from '../../../../src/ports/log/segments/segments.ts'
import { bundled } from '../../../support/bundle.ts'

const ROUNDS = Number(process.env.RIVULET_CRASH_ROUNDS ?? 8)
const CHILD = await bundled(fileURLToPath(new URL('crash-child.ts', import.meta.url)))
const NEWLINE = 10
const env = createRealEnv()

/** Lets a child append until it has acknowledged so many, then kills it. @returns what it acknowledged */
function appendUntilKilled(folder: string, firstNumber: number, count: number): Promise<number[]> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [CHILD, folder, String(firstNumber)])
    let [output, errors] = ['', '']
    let lines = 0
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString()
      lines += chunk.filter((byte) => byte === NEWLINE).length
      if (lines >= count) child.kill('SIGKILL')
    })
    child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()))
    child.on('close', (_code, signal) => {
      if (signal !== 'SIGKILL') return reject(new Error(`the child ended by itself: ${errors}`))
      // The last line may be cut off in the middle of a number.
      const whole = output.split('\n').slice(0, -1)
      resolve(whole.filter((line) => /^\d+$/.test(line)).map(Number))
    })
  })
}

/** Reads all records: [writer, number], in order. */
async function readLog(folder: string): Promise<Array<readonly [number, number]>> {
  const log = await openSegmentLog({ env, folder })
  const consumer = await log.consumer('check')
  const { end } = (await log.bounds())[0]
  const records: Array<readonly [number, number]> = []
  for (let next = 0; next < end;) {
    const batch = await consumer.next(1_000)
    next = batch!.next
    for (const value of batch!.values) {
      const [writer, number] = Buffer.from(value).toString('latin1', 0, 40).split(':')
      records.push([Number(writer), Number(number)])
    }
  }
  await log.close()
  return records
}

function checkRecords(
  records: ReadonlyArray<readonly [number, number]>,
  acknowledged: readonly number[],
): void {
  const numbers = new Set(records.map(([, number]) => number))
  expect(numbers.size, 'no record twice').toBe(records.length)
  expect(
    acknowledged.filter((number) => !numbers.has(number)),
    'acknowledged, but gone',
  ).toEqual([])
  const last = new Map<number, number>()
  for (const [writer, number] of records) {
    expect(number, `order of writer ${writer}`).toBeGreaterThan(last.get(writer) ?? -1)
    last.set(writer, number)
  }
}

async function addGarbage(folder: string, bytes: number): Promise<void> {
  const newest = (await readdir(folder))
    .filter((name) => name.endsWith('.segment'))
    .sort()
    .at(-1)!
  await appendFile(join(folder, newest), env.randomBytes(bytes))
}

it(`survives ${ROUNDS} kills under load`, { timeout: 30_000 + ROUNDS * 5_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'rivulet-crash-'))
  const acknowledged: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const count = 100 + Math.floor(env.random() * 4_000)
    acknowledged.push(...(await appendUntilKilled(folder, round * 10_000_000, count)))
    // In the other rounds the next child opens the log that the killed one left.
    if (round % 2 === 0) continue
    checkRecords(await readLog(folder), acknowledged)
    if (round % 4 === 1) await addGarbage(folder, 1 + Math.floor(env.random() * 5_000))
  }
  checkRecords(await readLog(folder), acknowledged)
  expect(acknowledged.length).toBeGreaterThanOrEqual(ROUNDS * 100)
  await rm(folder, { recursive: true })
})
