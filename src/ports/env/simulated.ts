/**
 * An environment in which a run can be repeated: randomness comes from a seed; clocks and timers move only when told to.
 *
 * `yield` releases all waiting tasks in one turn of the event loop, in an order drawn from the seed, so that other seeds
 * try other interleavings. It draws from a generator of its own: one `yield` more does not change what `random` gives.
 */

import type { Env } from './env.ts'
import { createRandom } from './random.ts'

export interface SimulatedEnv extends Env {
  /** Moves both clocks, and fires the timers that are due, in order, each at its own time. */
  advance(ms: number): void
  /** Like `advance`, but lets promises settle after each timer, as in a real run. */
  run(ms: number): Promise<void>
  /** Moves only the wall clock, also backwards. */
  jumpWall(ms: number): void
}

export interface SimulatedEnvOptions {
  readonly seed: number
  readonly startMs: number
}

interface Timer {
  readonly atMs: number
  readonly task: () => void
}

export function createSimulatedEnv({ seed, startMs }: SimulatedEnvOptions): SimulatedEnv {
  const random = createRandom(seed)
  const timers = createTimers()
  let nowMs = 0
  let wallOffsetMs = startMs

  function fireNext(untilMs: number): boolean {
    const timer = timers.takeDue(untilMs)
    if (timer === undefined) {
      nowMs = untilMs
      return false
    }
    // A task that called `advance` may have moved the clock past this timer.
    nowMs = Math.max(nowMs, timer.atMs)
    timer.task()
    return true
  }

  const yieldTurn = createYield(createRandom(seed ^ 0x9e3779b9))
  return {
    wallMs: () => Math.floor(wallOffsetMs + nowMs),
    monotonicMs: () => nowMs,
    random,
    randomBytes: (size) => Uint8Array.from({ length: size }, () => Math.floor(random() * 256)),
    timer: (delayMs, task) => timers.add({ atMs: nowMs + Math.max(delayMs, 0), task }),
    yield: yieldTurn,
    advance(ms) {
      const untilMs = nowMs + ms
      while (fireNext(untilMs));
    },
    async run(ms) {
      const untilMs = nowMs + ms
      await settle()
      while (fireNext(untilMs)) await settle()
    },
    jumpWall(ms) {
      wallOffsetMs += ms
    },
  }
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Timers sorted by their time, then by the order in which they were set. */
function createTimers() {
  const sorted: Timer[] = []
  return {
    add(timer: Timer) {
      let at = sorted.length
      while (at > 0 && sorted[at - 1].atMs > timer.atMs) at--
      sorted.splice(at, 0, timer)
      return {
        cancel() {
          const index = sorted.indexOf(timer)
          if (index >= 0) sorted.splice(index, 1)
        },
      }
    },
    takeDue: (untilMs: number): Timer | undefined =>
      sorted.length > 0 && sorted[0].atMs <= untilMs ? sorted.shift() : undefined,
  }
}

function createYield(random: () => number): () => Promise<void> {
  let waiting: Array<() => void> = []
  function release() {
    const turn = waiting
    waiting = []
    while (turn.length > 0) turn.splice(Math.floor(random() * turn.length), 1)[0]()
  }
  return () =>
    new Promise((resolve) => {
      if (waiting.push(resolve) === 1) setImmediate(release)
    })
}
