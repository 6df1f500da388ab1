/**
 * How far the owners of partitions have come, told in the log. What stands in a partition before a record about it
 * is what that speaks of, in the same order for everybody: processes that do not own the partition bring their
 * caches up to date by it, answer their writers, and learn the horizon. Of partitions where nothing happens, one
 * record tells for all of an owner's.
 */

import { list, struct, u32, u53 } from '../../core/codec.ts'
import { isRetriable } from '../../core/errors.ts'
import type { Env } from '../../ports/env/env.ts'
import type { Log } from '../../ports/log/log.ts'
import { sleep } from '../../ports/env/sleep.ts'
import { defineEvent, encodeEvent, ENGINE_TAGS, type Event } from '../events.ts'
import { decided, isDecided, type ToldDecision } from './decided.ts'
import { partitionKeys } from './partition-keys.ts'

const lane = struct({
  partition: u32,
  /** Rows of everything below this position stand. */
  projected: u53,
  /** Of this partition: what views have been told. */
  horizon: u53,
  /** What the horizon leans on lies below this position. */
  needs: u53,
  /** Positions of events of which nothing will come: of those below `projected`, all that may not be known yet. */
  skipped: list(u53),
})

export const progressed = defineEvent(
  ENGINE_TAGS,
  'progressed',
  struct({
    lanes: list(lane),
    /** Ids to come are above it, whoever stamps them: a clock that is behind must not hold the horizon up. */
    now: u53,
  }),
)

export type LaneProgress = ReturnType<typeof lane.read>
export type Progress = ReturnType<typeof progressed.body.read>

export const isProgress = (event: Event): event is Event<Progress> => (event.type as unknown) === progressed

/** A record between processes, which changes no row and reaches no reactor. */
export const isOfEngine = (event: Event): boolean => isProgress(event) || isDecided(event)

/** It is no event of anybody: it needs no id. */
const NO_ID = 0
const RETRY_MS = 200

/** A record holds so many bytes of decisions, or a little more. */
const DECISION_BYTES_MAX = 256 * 1024

/** Pieces that fit into a record each. */
function slicesOf(decisions: readonly ToldDecision[]): ToldDecision[][] {
  const slices: ToldDecision[][] = []
  let bytes = Infinity
  for (const decision of decisions) {
    if (bytes >= DECISION_BYTES_MAX) {
      slices.push([])
      bytes = 0
    }
    slices[slices.length - 1].push(decision)
    bytes += DECISION_BYTES + decision.value.length + (decision.reason?.length ?? 0)
  }
  return slices
}

const DECISION_BYTES = 32

export interface ProgressTeller {
  /** Soon: one record of a partition is on its way at a time, and the next one holds what came meanwhile. */
  tell(partition: number): void
  /** Of all of these in one record, unless the one before is still on its way. */
  tick(partitions: Iterable<number>): void
  /** A record that says nothing: once it is in, the log takes nothing any more that was appended before it. */
  probe(partition: number): Promise<void>
  stop(): Promise<void>
}

export interface TellerOptions {
  readonly env: Env
  readonly log: Log
  /** Nothing of a partition that is not owned any more. */
  readonly progressOf: (partition: number) => LaneProgress | undefined
  /** Decisions on events below it that have not been told yet. */
  readonly decisionsOf: (partition: number) => readonly ToldDecision[]
  /** The record stands in the log, and with it these decisions. */
  readonly onTold: (progress: LaneProgress, decisions: readonly ToldDecision[]) => void
  readonly now: () => number
}

export function createProgressTeller(options: TellerOptions): ProgressTeller {
  const { env, log, progressOf, decisionsOf, onTold, now } = options
  const keys = partitionKeys(log)
  const isDue = new Array<boolean>(log.partitions).fill(false)
  const underWay = new Map<number, Promise<void>>()
  let ticking: Promise<void> | undefined
  let isStopped = false

  /** Records of one call stay together: who reads the progress has read the decisions. */
  async function append(
    partition: number,
    lanes: LaneProgress[],
    decisions: readonly ToldDecision[] = [],
  ): Promise<void> {
    const key = keys[partition]
    const values = slicesOf(decisions).map((some) => encodeEvent(decided, NO_ID, key, { decisions: some }))
    values.push(encodeEvent(progressed, NO_ID, key, { lanes, now: now() }))
    await log.append(values.map((value) => ({ key, value })))
  }

  async function run(partition: number): Promise<void> {
    while (isDue[partition]) {
      isDue[partition] = false
      const progress = progressOf(partition)
      if (progress === undefined) return
      const decisions = decisionsOf(partition)
      try {
        await append(partition, [progress], decisions)
        onTold(progress, decisions)
      } catch (error) {
        if (isStopped || !isRetriable(error)) return
        isDue[partition] = true
        await sleep(env, RETRY_MS)
      }
    }
  }

  return {
    tell(partition) {
      isDue[partition] = true
      if (isStopped || underWay.has(partition)) return
      const telling = run(partition).finally(() => underWay.delete(partition))
      underWay.set(partition, telling)
    },
    tick(partitions) {
      const lanes = [...partitions].flatMap((partition) => progressOf(partition) ?? [])
      if (isStopped || ticking !== undefined || lanes.length === 0) return
      // The next one tells it all again.
      ticking = append(lanes[0].partition, lanes)
        .catch(() => undefined)
        .finally(() => (ticking = undefined))
    },
    probe: (partition) => append(partition, []),
    async stop() {
      isStopped = true
      await Promise.all([ticking, ...underWay.values()])
    },
  }
}
