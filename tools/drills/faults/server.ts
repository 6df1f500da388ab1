/** Drills on a single server of role `all`. */

import { existsSync } from 'node:fs'
import type { Drill, Stage } from '../drill.ts'
import { isGone } from './proofs.ts'

const FAKETIME_LIBRARIES = [
  '/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1',
  '/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1',
]
const HOUR_MS = 3_600_000

const serverKilled: Drill = {
  name: 'server-killed',
  describe: 'the only server: kill -9 under load, started again at once; five times',
  isAlone: true,
  lastsMs: 0,
  times: 5,
  async strike({ servers: [server], struck }) {
    const { pid } = server
    await server.kill()
    struck(`the server (process ${pid}) is killed`, isGone(pid))
  },
  mend: ({ servers: [server] }) => server.start(),
}

/** Restarts the server with a shifted wall clock. The monotonic clock stays, as when an operator or NTP sets a clock. */
async function restartAt({ servers: [server], say }: Stage, shift: string): Promise<void> {
  const library = FAKETIME_LIBRARIES.find(existsSync)
  if (library === undefined) throw new Error('libfaketime cannot be found; install the package faketime')
  const askedAtMs = performance.now()
  await server.stop()
  say(`the server ended ${((performance.now() - askedAtMs) / 1_000).toFixed(1)} s after SIGTERM`)
  await server.start({ LD_PRELOAD: library, FAKETIME: shift, FAKETIME_DONT_FAKE_MONOTONIC: '1' })
}

/** By how many milliseconds the server's clock is ahead of this process's. */
async function aheadMs({ servers: [server] }: Stage): Promise<number> {
  const response = await fetch(`${server.url}/healthz`)
  await response.arrayBuffer()
  return Date.parse(response.headers.get('date') ?? '') - Date.now()
}

const clocks: Drill = {
  name: 'clocks',
  describe: "the only server's wall clock an hour ahead after a clean restart, and right again after another",
  isAlone: true,
  lastsMs: 10_000,
  async strike(stage) {
    await restartAt(stage, '+3600s')
    const ahead = await aheadMs(stage)
    stage.struck(
      `the server's clock is ${(ahead / 60_000).toFixed(1)} minutes ahead`,
      Math.abs(ahead - HOUR_MS) < 5_000,
    )
  },
  // Posts carry times of the wrong clock.
  isMet: ({ posts }) =>
    posts.some(({ createdAtMs = 0, endMs }) => createdAtMs - (performance.timeOrigin + endMs) > HOUR_MS / 2),
  async mend({ servers: [server] }) {
    await server.stop()
    await server.start()
  },
}

export const serverDrills: readonly Drill[] = [serverKilled, clocks]
