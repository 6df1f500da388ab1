/** Drills on API processes. */

import { setTimeout as sleep } from 'node:timers/promises'
import { createClient } from '../client.ts'
import type { Drill, Stage } from '../drill.ts'
import type { History, Operation } from '../history.ts'
import type { Server } from '../server.ts'
import { isGone, isStopped } from './proofs.ts'

const BURST = 40
const BURST_LEAD_MS = 15
const FAILS_OVER_AFTER_MS = 5_000
/** A process is declared dead after 10 s; a heartbeat, a sample, and the whole seconds of `as_of` add to that. */
const STANDS_STILL_MS_MAX = 13_000
const LOOK_MS = 200

const writesOf = ({ posts, deletes, follows }: History): readonly Operation[] => [
  ...posts,
  ...deletes,
  ...follows,
]
const hasRetried = (history: History): boolean => writesOf(history).some(({ retries = 0 }) => retries > 0)

/** Sends posts, so that some are under way through the first API process when the drill goes on. */
async function burst({ world: { operations, people }, track }: Stage): Promise<void> {
  for (let number = 0; number < BURST; number++) track(operations.post((2 * number) % people.length))
  await sleep(BURST_LEAD_MS)
}

const killed: Drill = {
  name: 'api-killed',
  describe: 'two API processes: kill -9 of one with posts under way, started again 5 s later; three times',
  lastsMs: 5_000,
  times: 3,
  failsOverAfterMs: FAILS_OVER_AFTER_MS,
  isMet: hasRetried,
  async strike(stage) {
    const [api] = stage.apis
    await burst(stage)
    const { pid } = api
    const under = writesOf(stage.world.history).filter(({ endMs, via }) => endMs === Infinity && via === 0)
    await api.kill()
    stage.struck(`${api.name} (process ${pid}) is killed with ${under.length} writes under way`, isGone(pid))
  },
  mend: ({ apis: [api] }) => api.start(),
}

const frozen: Drill = {
  name: 'api-frozen',
  describe:
    'two API processes: SIGSTOP of one with posts under way for 15 s, then it is written through at once',
  lastsMs: 15_000,
  failsOverAfterMs: FAILS_OVER_AFTER_MS,
  isMet: hasRetried,
  async strike(stage) {
    const [api, other] = stage.apis
    await burst(stage)
    api.freeze()
    await sleep(50)
    stage.struck(`${api.name} is frozen`, isStopped(api.pid))
    const { stoodMs, wentOn } = await horizonOf(stage, other)
    stage.say(`as_of of ${other.name} stood still for ${(stoodMs / 1_000).toFixed(1)} s`)
    if (!wentOn || stoodMs > STANDS_STILL_MS_MAX)
      throw new Error('as_of stands still for too long because of a frozen process')
  },
  async mend(stage) {
    stage.apis[0].thaw()
    // The clients that had left the frozen process return to it.
    stage.world.routes.spread()
    await burst(stage)
  },
}

/** Measures the longest time for which the `as_of` of a process stood still, and whether it moved on afterwards. */
async function horizonOf({ world, serverKey }: Stage, server: Server) {
  const client = createClient(server.url, serverKey)
  const startMs = performance.now()
  let [asOf, sinceMs, stoodMs, moves] = ['', startMs, 0, 0]
  while (performance.now() - startMs < frozen.lastsMs - 1_000) {
    const { json } = await client.call('GET', '/feed?limit=1', { token: world.people[0].token })
    const nowMs = performance.now()
    stoodMs = Math.max(stoodMs, nowMs - sinceMs)
    if (json?.as_of !== undefined && json.as_of !== asOf) {
      moves++
      asOf = json.as_of
      sinceMs = nowMs
    }
    await sleep(LOOK_MS)
  }
  // The first moves may come from before the fault, or from soon after.
  return { stoodMs, wentOn: moves > 2 && performance.now() - sinceMs < 2_000 }
}

const rolling: Drill = {
  name: 'rolling',
  describe: 'each of the four processes ends with SIGTERM and is started again, one after the other',
  lastsMs: 0,
  failsOverAfterMs: FAILS_OVER_AFTER_MS,
  async strike(stage) {
    for (const server of stage.servers) {
      const { pid } = server
      const startMs = performance.now()
      await server.stop()
      const goneMs = performance.now()
      stage.struck(
        `${server.name} ended ${((goneMs - startMs) / 1_000).toFixed(1)} s after SIGTERM`,
        isGone(pid),
      )
      await server.start()
      stage.say(
        `${server.name} is there again after ${((performance.now() - goneMs) / 1_000).toFixed(1)} s more`,
      )
    }
  },
  mend: async () => undefined,
  isMet: hasRetried,
  /** Clients send again what was refused or cut off, so in the end every operation succeeds. */
  check({ world: { history } }, report) {
    const all = [...writesOf(history), ...history.reads]
    const left = all
      .filter(({ outcome }) => outcome !== 'ok')
      .map(({ outcome, code }) => `${outcome} ${code}`)
    if (left.length > 0)
      report(`${left.length} of ${all.length} operations failed: ${[...new Set(left)].join(', ')}`)
  },
}

export const apiDrills: readonly Drill[] = [killed, frozen, rolling]
