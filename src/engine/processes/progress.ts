/**
 * Records of progress: the owner of a partition tells in the log, in that partition, how far it has come. A record speaks
 * of the events before it, which every process reads in the same order. By it the processes that do not own the partition
 * bring their caches up to date, answer their writers, and learn the horizon. One more record at regular intervals tells
 * the progress of all partitions of an owner, so that quiet ones need none of their own.
 */

import { list, struct, text, u32, u53 } from '../../core/codec.ts'
import { isRetriable } from '../../core/errors.ts'
import type { Env } from '../../ports/env/env.ts'
import type { Log } from '../../ports/log/log.ts'
import { sleep } from '../../ports/env/sleep.ts'
import { defineEvent, encodeEvent, ENGINE_TAGS, type Event } from '../events.ts'
import { toldDecision, type ToldDecision } from './decided.ts'
import { partitionKeys } from './partition-keys.ts'

const lane = struct({
  partition: u32,
  /** The rows of all events below this position are stored. */
  projected: u53,
  /** The horizon of this partition, as it was last written to the views. */
  horizon: u53,
  /** A reader may use `horizon` only once it has read up to this position: the horizon relies on notices below it. */
  needs: u53,
  /** Positions below `projected` of events that were passed over, as far as no earlier record has told them. */
  skipped: list(u53),
})

const laneHorizon = struct({ view: text, partition: u32, horizon: u53 })
export type LaneHorizon = ReturnType<typeof laneHorizon.read>

export const progressed = defineEvent(
  ENGINE_TAGS,
  'progressed',
  struct({
    lanes: list(lane),
    /** All processes stamp later ids above this one: otherwise a process whose clock is slow would hold the horizon up. */
    now: u53,
    // Fields from here on are not in records of version 0.1.0, whose processes pass over them.
    /** Horizons of views beside the first one, of the partitions in `lanes`. */
    horizons: list(laneHorizon),
    /** Of this partition, decisions on events below the position that the next record with lanes tells. */
    decisions: list(toldDecision),
  }),
)

export type LaneProgress = ReturnType<typeof lane.read>
export type Progress = ReturnType<typeof progressed.body.read>

export const isProgress = (event: Event): event is Event<Progress> => (event.type as unknown) === progressed

/** The id in the envelope of the engine's own records, which have none. */
const NO_ID = 0
const RETRY_MS = 200

/** A record of decisions is closed once it holds so many bytes. */
const DECISION_BYTES_MAX = 256 * 1024

/** Splits decisions into slices that fit into a record each. */
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

/** About the size of an encoded decision without its value and reason. */
const DECISION_BYTES = 32

export interface ProgressTeller {
  /**
   * Appends a record about the partition soon. Only one record per partition is on its way at a time; the next one
   * holds all that came meanwhile.
   */
  tell(partition: number): void
  /** Appends one record about all of these partitions, unless the record of the last call is still on its way. */
  tick(partitions: Iterable<number>): void
  /** Appends an empty record. Once it is in the log, no earlier append of this process to the partition can enter it. */
  probe(partition: number): Promise<void>
  stop(): Promise<void>
}

export interface TellerOptions {
  /** Of a partition, the horizons of views beside the first. */
  readonly horizonsOf: (partition: number) => readonly LaneHorizon[]
  readonly env: Env
  readonly log: Log
  /** Returns `undefined` when this process no longer owns the partition. */
  readonly progressOf: (partition: number) => LaneProgress | undefined
  /** The decisions of the partition that no record has told yet. */
  readonly decisionsOf: (partition: number) => readonly ToldDecision[]
  /** The record about this progress is in the log, and so are these decisions. */
  readonly onTold: (progress: LaneProgress, decisions: readonly ToldDecision[]) => void
  readonly now: () => number
}

export function createProgressTeller(options: TellerOptions): ProgressTeller {
  const { env, log, progressOf, horizonsOf, decisionsOf, onTold, now } = options
  const keys = partitionKeys(log)
  const isDue = new Array<boolean>(log.partitions).fill(false)
  const underWay = new Map<number, Promise<void>>()
  let ticking: Promise<void> | undefined
  let isStopped = false

  /** Appends decisions and progress in one call, so that a process that reads the progress has read the decisions. */
  async function append(
    partition: number,
    lanes: LaneProgress[],
    decisions: readonly ToldDecision[] = [],
  ): Promise<void> {
    const key = keys[partition]
    const values = slicesOf(decisions).map((some) =>
      encodeEvent(progressed, NO_ID, key, { lanes: [], now: now(), horizons: [], decisions: some }),
    )
    const horizons = lanes.flatMap(({ partition: of }) => horizonsOf(of))
    values.push(encodeEvent(progressed, NO_ID, key, { lanes, now: now(), horizons, decisions: [] }))
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
      // A failure does not matter: the next record tells the same again.
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
