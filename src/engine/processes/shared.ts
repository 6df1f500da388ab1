/**
 * Several processes share the work. Each may append (`api`), project and react (`worker`), or both. What one process
 * does reaches the others through the log: its events, and records of how far owners of partitions have come
 * (`progress.ts`).
 */

import { isRetriable, isRivuletError, RivuletError } from '../../core/errors.ts'
import { createLeasedIds, type LeasedIds } from '../../core/ids.ts'
import { within } from '../../ports/env/deadlines.ts'
import { retrying } from '../../ports/env/retry.ts'
import { sleep } from '../../ports/env/sleep.ts'
import type { AppendTracker } from '../append.ts'
import { loadHighestId } from '../horizon/highest-id.ts'
import { createCatchingUp } from './catching-up.ts'
import { createFollower, type Follower } from './follower.ts'
import { createLaneNews, type LaneNews } from './lane-news.ts'
import { createMembers, type Members } from './members.ts'
import type { Mode, ModeParts, ModePorts } from './mode.ts'
import { holdNodeLease } from './node-lease.ts'
import { createOwnIds, type OwnIds } from './own-ids.ts'
import { createSharedOwnership } from './shared-ownership.ts'
import { createProgressTeller, type ProgressTeller } from './progress.ts'
import { createPublishing, type Publishing } from './publishing.ts'
import { createViewShared, type ViewShared } from './view-shared.ts'
import { createWorkerWatch, type WorkerWatch } from './worker-watch.ts'

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
const UNKNOWN_PROBE_MS = 1_000
const LAST_WORD_MS = 3_000
const SETTLE_LOOK_MS = 5
const HORIZON_WITHIN_MS = 10_000

/** The parts of a process that shares the work, and what becomes known only while it starts. */
interface Process {
  readonly ports: ModePorts
  readonly ids: LeasedIds
  readonly views: readonly ViewShared[]
  readonly own: OwnIds
  readonly news: LaneNews
  readonly members: Members
  readonly teller: ProgressTeller
  readonly publishing: Publishing
  readonly workers: WorkerWatch
  readonly catchUp: () => Promise<void>
  readonly retry: <T>(task: () => Promise<T>) => Promise<T>
  parts: ModeParts | undefined
  follower: Follower | undefined
  /** Where each partition is followed from: rows of everything below stood when this process began. */
  startedAt: readonly number[]
  nodeLease: { close(): void } | undefined
  isStopped: boolean
}

export function createShared(ports: ModePorts, options: SharedOptions): Mode {
  const { log, store, onFatal } = ports
  const { role } = options
  const process = createProcess(ports, options)
  const { ids, views, members, teller, publishing, news, catchUp } = process
  const ownership = createSharedOwnership({
    store,
    ids,
    views,
    teller,
    news,
    isSure: members.isSure,
    startedAt: (partition) => process.startedAt[partition],
    parts: () => process.parts,
    follower: () => process.follower,
    onFatal,
  })

  return {
    ids,
    views,
    isShared: true,
    async caughtUp(key) {
      if (key !== undefined && process.parts?.worker.isWhole(log.partitionOf(key)) === true) return
      await catchUp()
    },
    awaitProjected: () => catchUp(),
    lagEvents: (domain) =>
      (process.follower?.lagEvents(domain) ?? 0) + (process.parts?.worker.backlogEvents() ?? 0),
    backlogEvents: () => process.parts?.worker.backlogEvents() ?? 0,
    append: createTracker(process),
    ownership,
    skipped: news.skip,
    prepare: () => prepare(process),
    async start(given) {
      process.parts = given
      await startFollower(process)
      if (role === 'api') process.workers.start()
      else {
        await given.worker.start()
        publishing.start()
      }
      if (role !== 'worker') await knowOthers(process)
    },
    async settle() {
      // Only a sample that is taken after this, with the ends that the log has then, can pass the fence.
      const target = ids.fence()
      const isBehind = () => views.some(({ horizon }) => horizon.claimable() <= target)
      while (isBehind() && !process.isStopped) await sleep(ports.env, SETTLE_LOOK_MS)
      if (views.length === 0) await catchUp()
      await process.parts?.worker.reacted()
    },
    stop: () => stop(process, role),
  }
}

async function stop(process: Process, role: Role): Promise<void> {
  const { env, waiters } = process.ports
  const soon = (task: Promise<unknown>) => within(env, LAST_WORD_MS, task).catch(() => undefined)
  process.isStopped = true
  process.workers.close()
  if (role === 'api') waiters.end()
  else {
    // What is told now need not be done again by the next owner. An engine that is away is not waited for.
    await soon(process.publishing.stop())
    await process.parts?.worker.stop()
  }
  await soon(process.teller.stop())
  await process.follower?.stop()
  process.nodeLease?.close()
  // Ids that may still enter the log hold the horizon until the others count this process as gone.
  if (process.own.size === 0) await process.members.leave()
  else process.members.stop()
}

function createProcess(ports: ModePorts, options: SharedOptions): Process {
  const { env, log, store, onFatal, onNotice } = ports
  const { role, gate, horizonEveryMs = HORIZON_EVERY_MS } = options
  const ids = createLeasedIds(env.wallMs)
  const news = createLaneNews(log.partitions)
  const own = createOwnIds(ids, log.partitions, (partition) => probe(process, partition))
  const worker = () => process.parts?.worker
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
  const teller = createTeller(ports, news, ids, () => process)
  const publishing = createPublishing({
    env,
    log,
    views: () => process.views,
    ids,
    members,
    everyMs: horizonEveryMs,
    worker,
    onPublished: teller.tick,
    onFatal,
  })
  const process: Process = {
    ports,
    ids,
    views: ports.views.map((view) =>
      createViewShared(view, {
        partitions: log.partitions,
        laneOf: (key) => log.partitionOf(key),
        publish: publishing.publish,
      }),
    ),
    own,
    news,
    members,
    teller,
    publishing,
    workers: createWorkerWatch(env, onNotice),
    catchUp: createCatchingUp({
      env,
      log,
      hasReached: (partition, position) => hasReached(process, partition, position),
      isStopped: () => process.isStopped,
    }),
    retry: (task) => retrying(env, () => process.isStopped, task),
    parts: undefined,
    follower: undefined,
    nodeLease: undefined,
    startedAt: [],
    isStopped: false,
  }
  return process
}

/** Tells other processes of the partitions that this one owns. */
function createTeller(
  { env, log }: ModePorts,
  news: LaneNews,
  ids: LeasedIds,
  process: () => Process,
): ProgressTeller {
  return createProgressTeller({
    env,
    log,
    progressOf(partition) {
      const { parts, views } = process()
      if (parts?.worker.owned.has(partition) !== true) return undefined
      const horizon = views[0]?.horizon.published[partition] ?? 0
      const projected = parts.worker.projectedTo(partition)
      return { partition, projected, horizon, ...news.of(partition) }
    },
    horizonsOf: (partition) =>
      process()
        .views.slice(1)
        .map(({ spec, horizon }) => ({
          view: spec.name,
          partition,
          horizon: horizon.published[partition],
        })),
    decisionsOf: news.decisions,
    onTold: news.told,
    now: ids.fence,
  })
}

/** Appends a record: once it is in the log, everything that was appended before it is there, or never will be. */
function probe(process: Process, partition: number): void {
  process.ports.env.timer(UNKNOWN_PROBE_MS, () => {
    if (process.isStopped) return
    process.teller.probe(partition).then(
      () => process.own.settled(partition),
      () => probe(process, partition),
    )
  })
}

function hasReached({ parts, follower }: Process, partition: number, position: number): boolean {
  if (parts?.worker.owned.has(partition) === true) return parts.worker.projectedTo(partition) >= position
  return follower?.hasApplied(partition, position) === true
}

function createTracker({ members, ids, own, news, ports: { log } }: Process): AppendTracker {
  const laneOf = (key: number) => log.partitionOf(key)
  return {
    refusal() {
      if (!members.isSure()) return 'this process has lost contact with its deployment; retry'
      return ids.isLeased() ? undefined : 'this process has no lease to give out ids at this time; retry'
    },
    stamped: (id, key) => own.stamped(id, laneOf(key)),
    appended(id, key, position, isNotice) {
      own.appended(id, laneOf(key))
      if (isNotice) news.notice(laneOf(key), position)
    },
    failed(id, key, error) {
      if (isRivuletError(error, 'outcome_unknown')) own.unknown(id, laneOf(key))
      else own.withdrawn(id, laneOf(key))
    },
  }
}

async function prepare(process: Process): Promise<void> {
  const { env, log, store, onNotice } = process.ports
  const { ids, members, views, retry } = process
  await retry(() => members.join())
  process.nodeLease = await retry(() => holdNodeLease({ env, store, ids, holder: members.name, onNotice }))
  // Before anything is loaded: events that come later in the log are read again.
  const watermark = await retry(() => store.watermark())
  const bounds = await retry(() => log.bounds())
  process.startedAt = bounds.map(({ start }, partition) => Math.max(watermark[partition] ?? 0, start))
  const saved = await retry(() => loadHighestId(store, ids))
  for (const view of views) view.saved(saved(view.spec.name, log.partitions))
}

async function startFollower(process: Process): Promise<void> {
  const { log, waiters, onFatal } = process.ports
  const { decode, onRead, apply, forget, recall, isNeeded } = process.parts as ModeParts
  const follower = createFollower({
    follower: await log.follow(),
    epoch: log.epoch,
    decode,
    onRead,
    apply,
    forget: (domains) => process.retry(() => forget(domains)),
    domainOf: process.ports.domainOf,
    isNeeded,
    recall: (events) => process.retry(() => recall(events)),
    onFatal(error) {
      // While the process ends, an engine that is away is no failure.
      if (!process.isStopped || !isRetriable(error)) onFatal(error)
    },
    onSkipped: (partition, position) => waiters.skip(partition, position),
    onProgress({ partition, horizon: told }, others) {
      process.views[0]?.horizon.told(partition, told)
      for (const { view, horizon } of others)
        process.views.find(({ spec }) => spec.name === view)?.horizon.told(partition, horizon)
    },
    onTime(now) {
      process.workers.heard()
      process.ids.observe(now)
    },
  })
  process.follower = follower
  for (const [partition, position] of process.startedAt.entries()) {
    await follower.follow(partition, position)
  }
  follower.start()
}

/** Readers are answered from caches by what stood when this process began, if that can be known soon. */
async function knowOthers(process: Process): Promise<void> {
  try {
    await process.catchUp()
    await knowHorizon(process)
  } catch (error) {
    // It serves all the same: what it reads of others' writes is behind, and pages say so.
    if (!isRetriable(error)) throw error
    process.ports.onNotice(
      'starts behind: not all that others have written is known here yet; is a worker running?',
    )
  }
}

/** A new deployment has no horizon until each of its partitions has an owner. */
async function knowHorizon(process: Process): Promise<void> {
  const { env } = process.ports
  const untilMs = env.monotonicMs() + HORIZON_WITHIN_MS
  const isUnknown = () => process.views.some(({ horizon }) => horizon.claimable() === 0)
  while (isUnknown() && !process.isStopped) {
    if (env.monotonicMs() > untilMs) throw new RivuletError('unavailable', 'no horizon is known yet')
    await sleep(env, SETTLE_LOOK_MS)
  }
}
