/**
 * After a start without timelines (as after a crash), rebuilds those of active readers in the background, the latest
 * seen first, so that most readers find theirs when they come back. Rebuilds that readers wait for go first. Warming
 * ends when the memory for timelines is nearly full.
 */

import type { FeedContext } from '../context.ts'
import type { Graph } from '../../graph/index.ts'
import type { Timelines } from './timelines.ts'

export interface Warmer {
  /** Resolves when nothing is left to warm; at once if timelines live outside of this process. */
  run(): Promise<void>
  readonly stats: {
    /** Timelines still to be made. */
    left: number
    /** Timelines that are there, made by the warmer or for a reader who came meanwhile. */
    warm: number
  }
  stop(): void
}

/** Share of the memory for timelines that warming may fill; the rest is for readers who come meanwhile. */
const MEMORY_SHARE_MAX = 0.9
/** Progress is logged after each quarter. */
const TOLD_EVERY_SHARE = 0.25
const RETRY_MS = 1_000
/** With fewer readers nothing is logged: they are warm before anybody has read of it. */
const TOLD_READERS_MIN = 1_000

export function createWarmer(context: FeedContext, graph: Graph, timelines: Timelines): Warmer {
  const { env, views } = context
  const stats = { left: 0, warm: 0 }
  let isStopped = false

  function tell(readers: Uint32Array, text: string): void {
    if (readers.length >= TOLD_READERS_MIN && !isStopped) context.onNotice(text)
  }

  const evicted = () => views.stats()?.evictedTotal ?? 0
  const isFull = (evictedBefore: number) => {
    const memory = views.stats()
    if (memory === undefined) return true
    return memory.bytes > memory.bytesMax * MEMORY_SHARE_MAX || memory.evictedTotal > evictedBefore
  }

  async function warm(readers: Uint32Array): Promise<void> {
    const startMs = env.monotonicMs()
    const evictedBefore = evicted()
    let told = TOLD_EVERY_SHARE
    for (let i = 0; i < readers.length && !isStopped && !isFull(evictedBefore); i++) {
      stats.left = readers.length - i
      // A store that is away would fail every reader's rebuild, one after the other: wait before the next one.
      if (!(await timelines.ensure(readers[i]))) await new Promise<void>((go) => void env.timer(RETRY_MS, go))
      else stats.warm++
      if ((i + 1) / readers.length < told || told >= 1) continue
      tell(readers, `${Math.round(told * 100)} % of the timelines of active readers are warm`)
      told += TOLD_EVERY_SHARE
    }
    stats.left = 0
    const seconds = ((env.monotonicMs() - startMs) / 1_000).toFixed(1)
    tell(
      readers,
      `timelines of ${stats.warm} of ${readers.length} active readers are warm after ${seconds} s`,
    )
  }

  return {
    stats,
    async run() {
      const memory = views.stats()
      if (memory === undefined || memory.timelines > 0) return
      const { inactive_days: days } = graph.policies.current
      const readers = graph.activity.seenSince(graph.activity.minuteAgo(days * 86_400_000))
      if (readers.length === 0) return
      tell(
        readers,
        `no timelines were kept from the last run: rebuilding those of ${readers.length} active readers, the latest seen first; readers whose timelines are not ready yet are served, but slower`,
      )
      await warm(readers)
    },
    stop() {
      isStopped = true
    },
  }
}
