/**
 * The mode in which one process does all the work: it appends, projects and reacts. Since it knows every event that is
 * under way, its horizons are exact.
 */

import { createIdSource, type IdSource } from '../../core/ids.ts'
import { isRivuletError } from '../../core/errors.ts'
import { createHorizonAlone, type HorizonAlone } from '../horizon/alone.ts'
import { loadHighestId, saveHighestId } from '../horizon/highest-id.ts'
import type { OpenView, View } from '../view.ts'
import type { Mode, ModeParts, ModePorts } from './mode.ts'

const CHECKPOINT_MS = 30_000

export function createAlone({ env, log, store, views, waiters, domainOf }: ModePorts): Mode {
  const ids = createIdSource(env.wallMs)
  const own = views.map((view) => createViewAlone(view, ids))
  const unfinished = createUnfinished()
  let parts: ModeParts | undefined

  return {
    ids,
    views: own,
    isShared: false,
    lagEvents: unfinished.count,
    backlogEvents: unfinished.count,
    caughtUp: () => Promise.resolve(),
    async awaitProjected(key) {
      const partition = log.partitionOf(key)
      await waiters.projected(partition, (await log.bounds())[partition].end - 1)
    },
    skipped: () => undefined,
    append: {
      refusal: () => undefined,
      stamped(id, _key, type) {
        unfinished.add(id, domainOf(type))
        for (const { horizon } of own) horizon.stamped(id)
      },
      appended: () => undefined,
      failed(id, _key, error) {
        // An event that may be in the log after all stays unfinished until it is read from there.
        if (isRivuletError(error, 'outcome_unknown')) return
        unfinished.delete(id)
        for (const { horizon } of own) horizon.withdrawn(id)
      },
    },
    ownership: {
      checkpointMs: CHECKPOINT_MS,
      gained: async (partitions) => parts?.gained(partitions),
      startAt: (_partition, watermark) => watermark,
      owned: () => undefined,
      lost: () => undefined,
      projected: () => undefined,
      async viewDone(name, done) {
        const view = own.find(({ spec }) => spec.name === name)
        for (const batch of done) for (const id of batch.ids) view?.horizon.done(id)
        await view?.publish()
      },
      done(batches) {
        for (const batch of batches) for (const id of batch.ids) unfinished.delete(id)
      },
      savable: (_partition, reacted) => reacted,
      beforeCheckpoint: () =>
        saveHighestId(store, ids, new Map(own.map((view) => [view.spec.name, view.intact()]))),
    },
    async prepare() {
      const saved = await loadHighestId(store, ids)
      for (const view of own) await view.adopt(saved(view.spec.name, view.entries.lanes))
    },
    async start(given) {
      parts = given
      await parts.worker.start()
      await parts.worker.idle()
    },
    async settle() {
      await parts?.worker.idle()
    },
    async stop() {
      await parts?.worker.stop()
    },
  }
}

/** Ids of events that are stamped, and not yet done by every reactor that holds a view. */
function createUnfinished() {
  const domains = new Map<number, string>()
  const counts = new Map<string, number>()
  return {
    add(id: number, domain: string): void {
      domains.set(id, domain)
      counts.set(domain, (counts.get(domain) ?? 0) + 1)
    },
    delete(id: number): void {
      const domain = domains.get(id)
      if (domain === undefined) return
      domains.delete(id)
      counts.set(domain, (counts.get(domain) ?? 0) - 1)
    },
    /** Of a domain, or of all. */
    count: (domain?: string): number => (domain === undefined ? domains.size : (counts.get(domain) ?? 0)),
  }
}

interface ViewAlone extends View {
  readonly horizon: HorizonAlone
  /** Takes over timelines of an earlier process. */
  adopt(saved: ReadonlyMap<number, number>): Promise<void>
  /** By lane, the horizon at or above which every intact timeline is. */
  intact(): ReadonlyMap<number, number>
}

function createViewAlone({ spec, entries }: OpenView, ids: IdSource): ViewAlone {
  const horizon = createHorizonAlone(ids, entries.lanes)
  let hasSurvived = false
  /** As an earlier process saved it. */
  let intactFrom: ReadonlyMap<number, number> = new Map()
  const inAllLanes = (id: number) => new Map(Array.from(intactFrom.keys(), (lane) => [lane, id]))
  return {
    spec,
    entries,
    horizon,
    publish: () => horizon.publish((id) => entries.advance(inAllLanes(id))),
    survived: () => hasSurvived,
    async adopt(saved) {
      intactFrom = saved
      hasSurvived = await entries.adopt(saved)
    },
    intact() {
      const [published] = horizon.published
      // Until this process has published a horizon, the one that it loaded still holds.
      return published > 0 ? inAllLanes(published) : intactFrom
    },
  }
}
