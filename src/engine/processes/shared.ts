/**
 * Several processes share the work. Each may append (`api`), project and react (`worker`), or both; what one does is
 * known to the others by the log: events, and how far their owners have come with them (progress.ts).
 */

import { isRetriable, isRivuletError, RivuletError } from '../../core/errors.ts'
import { createLeasedIds, ID_MAX } from '../../core/ids.ts'
import { within } from '../../ports/env/deadlines.ts'
import { sleep } from '../../ports/env/sleep.ts'
import { createCatchingUp } from './catching-up.ts'
import { createFollower, type Follower } from './follower.ts'
import { loadHighestId, saveHighestId } from '../horizon/highest-id.ts'
import { createHorizonShared } from '../horizon/shared.ts'
import { createMembers } from './members.ts'
import type { Mode, ModeParts, ModePorts } from './mode.ts'
import { holdNodeLease } from './node-lease.ts'
import { createOwnIds } from './own-ids.ts'
import { createProgressTeller, type LaneProgress } from './progress.ts'
import { retrying } from '../../ports/env/retry.ts'
import { createSavePoints } from '../horizon/save-points.ts'
import { createWorkerWatch } from './worker-watch.ts'

export const ROLES = ['all', 'api', 'worker'] as const
export type Role = (typeof ROLES)[number]

export interface SharedOptions {
  readonly role: Role
  /** Resolves once nobody works on this deployment alone, with how often somebody did. */
  readonly gate: () => Promise<number>
  /** How often the horizon moves. */
  readonly horizonEveryMs?: number
}

const HORIZON_EVERY_MS = 500
const CHECKPOINT_MS = 5_000
const UNKNOWN_PROBE_MS = 1_000
const LAST_WORD_MS = 3_000
const SETTLE_LOOK_MS = 5
const HORIZON_WITHIN_MS = 10_000

export function createShared(ports: ModePorts, options: SharedOptions): Mode {
  const { env, log, store, views, waiters, onFatal, onNotice } = ports
  const { role, gate, horizonEveryMs = HORIZON_EVERY_MS } = options
  const laneOf = (key: number) => log.partitionOf(key)
  const ids = createLeasedIds(env.wallMs)
  const horizon = createHorizonShared(log.partitions, laneOf)
  const own = createOwnIds(ids, log.partitions, probe)
  const members = createMembers({
    env,
    store,
    role,
    gate,
    onLost: onFatal,
    onNotice,
    low: own.low,
    observe: ids.observe,
    beatMs: horizonEveryMs,
  })
  const teller = createProgressTeller({ env, log, progressOf, onTold, now: ids.fence })
  const survivors = new Set<number>()
  const savePoints = createSavePoints(log.partitions)
  const workers = createWorkerWatch(env, onNotice)
  const catchUp = createCatchingUp({ env, log, hasReached, isStopped: () => isStopped })
  /** By partition, of events that this process has told of. */
  const noticesTo = new Array<number>(log.partitions).fill(0)
  /** By partition, positions of events of which nothing comes, until that is told. */
  const skipped: number[][] = Array.from({ length: log.partitions }, () => [])
  let parts: ModeParts | undefined
  let follower: Follower | undefined
  let nodeLease: { close(): void } | undefined
  let sampling: Promise<void> = Promise.resolve()
  let publishing: Promise<void> | undefined
  let isStopped = false
  /** Where each partition is followed from: rows of everything below stood when this process began. */
  let startedAt: readonly number[] = []

  const retry = <T>(task: () => Promise<T>) => retrying(env, () => isStopped, task)
  const owned = (): ReadonlySet<number> => parts?.worker.owned ?? new Set()

  function progressOf(partition: number) {
    const { worker } = parts as ModeParts
    if (!worker.owned.has(partition)) return undefined
    return {
      partition,
      projected: worker.projectedTo(partition),
      horizon: horizon.published[partition],
      needs: noticesTo[partition],
      skipped: [...skipped[partition]],
    }
  }

  function onTold({ partition, skipped: told }: LaneProgress): void {
    skipped[partition] = skipped[partition].filter((position) => !told.includes(position))
  }

  /** Anything that is appended settles what is unknown before it. */
  function probe(partition: number): void {
    env.timer(UNKNOWN_PROBE_MS, () => {
      if (isStopped) return
      teller.probe(partition).then(
        () => own.settled(partition),
        () => probe(partition),
      )
    })
  }

  /** What everybody has appended, and how far each partition goes then. */
  async function sample(): Promise<void> {
    // Who was frozen sees nobody alive, and nobody sees it.
    if (!members.isSure()) return
    horizon.owns(owned())
    const { low, high } = await members.lows()
    ids.observe(high)
    const ends = (await log.bounds()).map(({ end }) => end)
    horizon.sampled({ low, ends })
  }

  async function sampleOften(): Promise<void> {
    while (!isStopped) {
      if (owned().size > 0) await sample().then(publish).catch(heldUp)
      await sleep(env, horizonEveryMs)
    }
  }

  /** An engine that is away holds the horizon where it is. */
  function heldUp(error: unknown): void {
    if (!isStopped && !isRetriable(error)) onFatal(error)
  }

  const soon = (task: Promise<unknown>) => within(env, LAST_WORD_MS, task).catch(() => undefined)

  /** At the end, an engine that is away is no failure. */
  function failed(error: unknown): void {
    if (!isStopped || !isRetriable(error)) onFatal(error)
  }

  /** It serves all the same: what it reads of others' writes is behind, and says so. */
  function toldBehind(error: unknown): void {
    if (!isRetriable(error)) throw error
    onNotice('starts behind: not all that others have written is known here yet; is a worker running?')
  }

  /** Of a new deployment nobody knows one until all its partitions are somebody's. */
  async function knowHorizon(): Promise<void> {
    const untilMs = env.monotonicMs() + HORIZON_WITHIN_MS
    while (horizon.claimable() === 0 && !isStopped) {
      if (env.monotonicMs() > untilMs) throw new RivuletError('unavailable', 'no horizon is known yet')
      await sleep(env, SETTLE_LOOK_MS)
    }
  }

  function hasReached(partition: number, position: number): boolean {
    if (owned().has(partition)) return (parts as ModeParts).worker.projectedTo(partition) >= position
    return follower?.hasApplied(partition, position) === true
  }

  async function publishNow(): Promise<void> {
    const { worker } = parts as ModeParts
    const moved = new Map<number, number>()
    for (const partition of worker.owned) {
      const id = horizon.reached(partition, worker.reactedTo(partition))
      if (id > horizon.published[partition]) moved.set(partition, id)
    }
    if (moved.size > 0) await views.advance(moved)
    for (const [partition, id] of moved) horizon.told(partition, id)
    // Even where nothing has moved: a clock that is behind holds it up, until its process learns what time it is.
    teller.tick(worker.owned)
  }

  function publish(): Promise<void> {
    publishing ??= publishNow().finally(() => (publishing = undefined))
    return publishing
  }

  /** What an owner before had told of these stands in their timelines, or they are given up. */
  async function gain(partitions: ReadonlySet<number>): Promise<void> {
    const saved = await loadHighestId(store, ids, log.partitions)
    const told = (lane: number) => Math.max(saved.get(lane) ?? 0, horizon.published[lane])
    const lanes = new Map(Array.from(partitions, (lane) => [lane, told(lane)] as const))
    const isAnyLeft = await views.adopt(lanes)
    for (const partition of partitions) {
      if (isAnyLeft) survivors.add(partition)
      else survivors.delete(partition)
    }
    await parts?.gained(partitions)
  }

  function caughtUp(key?: number): Promise<void> {
    if (key !== undefined && parts?.worker.isWhole(laneOf(key)) === true) return Promise.resolve()
    return catchUp()
  }

  async function startFollower(): Promise<void> {
    const { decode, onRead, apply, forget } = parts as ModeParts
    follower = createFollower({
      follower: await log.follow(),
      epoch: log.epoch,
      decode,
      onRead,
      apply,
      forget: () => retry(forget),
      onFatal: failed,
      onSkipped: (partition, position) => waiters.skip(partition, position),
      onProgress({ partition, horizon: told }) {
        horizon.told(partition, told)
      },
      onTime(now) {
        workers.heard()
        ids.observe(now)
      },
    })
    for (const [partition, position] of startedAt.entries()) {
      await follower.follow(partition, position)
    }
    follower.start()
  }

  return {
    ids,
    horizon,
    isShared: true,
    publish,
    caughtUp,
    awaitProjected: () => catchUp(),
    lagEvents: () => (follower?.lagEvents() ?? 0) + (parts?.worker.backlogEvents() ?? 0),
    backlogEvents: () => parts?.worker.backlogEvents() ?? 0,
    survived: (partition) => survivors.has(partition),
    append: {
      refusal() {
        if (!members.isSure()) return 'this process is not sure that others count it in'
        return ids.isLeased() ? undefined : 'this process has no lease to give out ids at this time'
      },
      stamped: (id, key) => own.stamped(id, laneOf(key)),
      appended(id, key, position, isNotice) {
        own.appended(id, laneOf(key))
        if (isNotice) noticesTo[laneOf(key)] = Math.max(noticesTo[laneOf(key)], position + 1)
      },
      failed(id, key, error) {
        if (isRivuletError(error, 'outcome_unknown')) own.unknown(id, laneOf(key))
        else own.withdrawn(id, laneOf(key))
      },
    },
    skipped(partition, position) {
      skipped[partition].push(position)
    },
    worker: {
      checkpointMs: CHECKPOINT_MS,
      onDone: () => undefined,
      afterBatch: () => Promise.resolve(),
      onProjected: (partition) => teller.tell(partition),
      onReacted: savePoints.reacted,
      savable: (partition) => savePoints.upTo(partition, horizon.published[partition]),
      onGained: gain,
      // What was projected before and is not in the caches here is read again, too.
      startAt: (partition, watermark) =>
        Math.min(watermark, Math.max(startedAt[partition], parts?.appliedTo(partition) ?? 0)),
      onOwned(partition, from) {
        savePoints.begin(partition, from)
        follower?.leave(partition)
        // Others may wait for what the owner before had no time to tell.
        teller.tell(partition)
      },
      onLost(partitions) {
        for (const partition of partitions) {
          void follower?.follow(partition, (parts as ModeParts).worker.projectedTo(partition)).catch(onFatal)
        }
      },
      async beforeCheckpoint() {
        const lanes = new Map(Array.from(owned(), (lane) => [lane, horizon.published[lane]]))
        // Who was frozen would take back what others have saved meanwhile.
        if (lanes.size > 0 && members.isSure()) await saveHighestId(store, ids, lanes)
      },
    },
    async prepare() {
      await retry(() => members.join())
      nodeLease = await retry(() => holdNodeLease({ env, store, ids, holder: members.name, onNotice }))
      // Before anything is loaded: what comes later in the log is told again.
      const watermark = await retry(() => store.watermark())
      const bounds = await retry(() => log.bounds())
      startedAt = bounds.map(({ start }, partition) => Math.max(watermark[partition] ?? 0, start))
      for (const [lane, id] of await retry(() => loadHighestId(store, ids, log.partitions))) {
        if (id < ID_MAX) horizon.told(lane, id)
      }
    },
    async start(given) {
      parts = given
      await startFollower()
      if (role === 'api') workers.start()
      else {
        await parts.worker.start()
        sampling = sampleOften()
      }
      // Whoever is answered from caches is answered by what stood when this process began, if that can be known soon.
      if (role !== 'worker') await catchUp().then(knowHorizon).catch(toldBehind)
    },
    async settle() {
      // Above it is only what was sampled after this, with the ends that the log has now or later.
      const target = ids.fence()
      while (horizon.claimable() <= target && !isStopped) await sleep(env, SETTLE_LOOK_MS)
    },
    async stop() {
      isStopped = true
      workers.close()
      if (role === 'api') waiters.end()
      else {
        // What is told now need not be done again by who comes next; an engine that is away is not waited for.
        await soon(sampling.then(sample).then(publish))
        await parts?.worker.stop()
      }
      await soon(teller.stop())
      await follower?.stop()
      nodeLease?.close()
      // What may still enter the log holds the horizon, until others take this process for gone.
      if (own.size === 0) await members.leave()
      else members.stop()
    },
  }
}
