/** Log output: a reader that stalls or goes away holds up nobody, and dropped lines are reported. */

import { execFileSync } from 'node:child_process'
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createLogOutput } from '../../src/app/log-output.ts'
import { createRealEnv } from '../../src/ports/env/real.ts'

const { O_NONBLOCK, O_RDONLY, O_WRONLY } = constants
const real = createRealEnv()

let root: string
beforeAll(() => void (root = mkdtempSync(join(tmpdir(), 'rivulet-log-'))))
afterAll(() => rmSync(root, { recursive: true }))

/** The output of a process whose stderr is a pipe. */
function openPipe(name: string): { reader: number; writer: number } {
  const path = join(root, name)
  execFileSync('mkfifo', [path])
  return { reader: openSync(path, O_RDONLY | O_NONBLOCK), writer: openSync(path, O_WRONLY | O_NONBLOCK) }
}

function open(fd: number, waitingMax = 10_000_000) {
  const waitsMs: number[] = []
  const env = {
    ...real,
    timer(ms: number, task: () => void) {
      waitsMs.push(ms)
      return real.timer(1, task)
    },
  }
  return { out: createLogOutput({ env, fd, gatheredMax: 1_000, waitingMax }), waitsMs }
}

const line = (n: number) => `${JSON.stringify({ n, text: 'x'.repeat(80) })}\n`

test('writes to a stalled reader are repeated at growing intervals, and in the end it gets everything', async () => {
  const { reader, writer } = openPipe('still')
  const { out, waitsMs } = open(writer)
  const lines = Array.from({ length: 5_000 }, (_, n) => line(n))
  for (const one of lines) out.write(one)
  while (waitsMs.length < 8) await real.yield()
  expect(waitsMs.slice(0, 8)).toEqual([10, 20, 40, 80, 160, 250, 250, 250])
  const drained = out.drained()
  const buffer = Buffer.alloc(100_000)
  let read = ''
  while (read.length < lines.join('').length) {
    try {
      read += buffer.toString('utf8', 0, readSync(reader, buffer))
    } catch {
      await real.yield()
    }
  }
  expect(read).toBe(lines.join(''))
  await drained
  closeSync(reader)
  closeSync(writer)
})

test('lines beyond the limit of waiting ones are left out and counted', async () => {
  const { reader, writer } = openPipe('bounded')
  const { out, waitsMs } = open(writer, 2_000)
  while (waitsMs.length === 0) {
    out.write(line(0))
    await real.yield()
  }
  for (let n = 0; n < 100; n++) out.write(line(n))
  expect(out.take()).toMatch(/"\d+ lines were left out here: the log is not read fast enough/)
  closeSync(reader)
  closeSync(writer)
})

test('a full disk loses lines, and the log goes on', async () => {
  const { out } = open(openSync('/dev/full', 'w'))
  for (let n = 0; n < 3; n++) out.write(line(n))
  await out.drained()
  out.write(line(3))
  await out.drained()
  await out.drained()
  out.write(line(4))
  expect(out.take()).toBe(
    `${line(4)}${JSON.stringify({ level: 40, msg: '4 lines were left out here: the log is not read fast enough, or cannot be written' })}\n`,
  )
})

test('a reader that has gone ends the log, for good', async () => {
  const { reader, writer } = openPipe('gone')
  const { out } = open(writer)
  closeSync(reader)
  out.write(line(0))
  await out.drained()
  out.write(line(1))
  expect(out.take()).toBe('')
  await out.drained()
  closeSync(writer)
})
