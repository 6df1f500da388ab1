/**
 * Opens the ports of a process as its configuration says: embedded, over one data folder; or on engines, with the log
 * on Kafka, the rows on Cassandra, and timelines, short-lived keys and signals on Redis.
 */

import { RivuletError } from '../../core/errors.ts'
import { createMemoryBus } from '../../ports/bus/memory.ts'
import { createMemoryEphemeral } from '../../ports/ephemeral/memory.ts'
import { createMemoryViews, openMemoryViews } from '../../ports/views/memory/memory.ts'
import type { ViewSpec, Views } from '../../ports/views/views.ts'
import { homeView } from '../../feed/index.ts'
import { createClosers } from '../closers.ts'
import { IMPORTED_FILE } from './data-folder.ts'
import { movesTable } from './half-moved.ts'
import type { Notes } from './notes.ts'
import { openFolder } from './folder.ts'
import { otherSpecs } from './other-views.ts'
import type { Durable, MigrateOptions, OpenPorts, OpenPortsOptions, Volatile } from './parts.ts'
import { MIB } from '../config/settings.ts'

/** For commands, which must not name adapters themselves. */
export { createRealEnv } from '../../ports/env/real.ts'

export async function openPorts(options: OpenPortsOptions): Promise<OpenPorts> {
  const closers = createClosers()
  try {
    const { close: _, ...durable } = closers.add(await openDurable(options))
    await assertNotMoved(durable.notes)
    await assertNotHalf(durable)
    const { close: __, ...volatile } = closers.add(await openVolatile(options, durable))
    const guarded = (views: Views): Views => durable.guard?.(views) ?? views
    const views = guarded(volatile.views)
    const otherViews = new Map([...volatile.otherViews].map(([name, one]) => [name, guarded(one)]))
    const figures = [...durable.figures, ...volatile.figures]
    return { env: options.env, ...durable, ...volatile, views, otherViews, figures, close: closers.close }
  } catch (error) {
    await closers.close().catch(() => undefined)
    throw error
  }
}

/** Marks a deployment that was moved away: if it were served all the same, there would be two of it. */
export const MOVED_NOTE = 'moved.json'

export async function assertNotMoved(notes: Notes): Promise<void> {
  const text = await notes.read(MOVED_NOTE)
  if (text === undefined) return
  const { to, at_ms: atMs } = JSON.parse(text) as { to: string; at_ms: number }
  const undo = notes.removal(MOVED_NOTE)
  const message = `this deployment was moved to ${to} at ${new Date(atMs).toISOString()}; serve it there${undo === undefined ? '' : `, or ${undo} to go on here`}`
  throw new RivuletError('config_invalid', message)
}

/** Refuses the target of an unfinished move: it lacks rows, and once it is served the move cannot be completed. */
async function assertNotHalf({ store, place }: Pick<Durable, 'store' | 'place'>): Promise<void> {
  const [row] = await store.get([movesTable.key()])
  if (row === undefined || movesTable.decode(row).done) return
  const message = `a move to ${place} is not finished; run rivulet move again`
  throw new RivuletError('config_invalid', message)
}

/**
 * Opens the log and the store. Drivers of engines are loaded only when they are used, so that others need not install
 * them.
 * @param epoch for the log, if it is new
 */
export async function openDurable(options: OpenPortsOptions, epoch?: number): Promise<Durable> {
  const { kafka, cassandra } = options.config
  if (kafka === undefined && cassandra === undefined) return openFolder(options, epoch)
  if (kafka === undefined || cassandra === undefined) throw halfOfTwo(kafka === undefined)
  return loaded('kafka and cassandra', () => import('./kafka-cassandra.ts')).then(
    ({ openKafkaAndCassandra }) =>
      openKafkaAndCassandra(options, { brokers: kafka, contactPoints: cassandra }, epoch),
  )
}

/** Creates what engines must have before they are opened; a data folder needs no migration. */
export async function migratePorts(options: MigrateOptions): Promise<void> {
  const { kafka, cassandra } = options.config
  if (kafka === undefined || cassandra === undefined) {
    const message = 'nothing to migrate: set RIVULET_KAFKA and RIVULET_CASSANDRA'
    throw new RivuletError('config_invalid', message)
  }
  const { migrateKafkaAndCassandra } = await loaded(
    'kafka and cassandra',
    () => import('./kafka-cassandra.ts'),
  )
  await migrateKafkaAndCassandra(options, { brokers: kafka, contactPoints: cassandra })
}

async function openVolatile(
  options: OpenPortsOptions,
  { id, log, timelinesFile }: Pick<Durable, 'id' | 'log' | 'timelinesFile'>,
): Promise<Volatile> {
  const { redis } = options.config
  const lanes = log.partitions
  if (redis === undefined) return openMemory(options, lanes, timelinesFile)
  return loaded('redis', () => import('./redis.ts')).then(({ openRedis }) =>
    openRedis(options, { nodes: redis, deployment: id, lanes }),
  )
}

/** Of the memory for timelines, each view of another domain gets as much again. */
const OTHER_VIEW_SHARE = 1 / 4

async function openMemory(
  options: OpenPortsOptions,
  lanes: number,
  timelinesFile: string | undefined,
): Promise<Volatile> {
  const { env, config, onNotice, keepsTimelines = false } = options
  const closers = createClosers()
  async function open({ name, capacity, keep }: ViewSpec): Promise<Views> {
    const isHome = name === homeView.name
    const bytesMax = config.timelinesMib * MIB * (isHome ? 1 : OTHER_VIEW_SHARE)
    const memory = { bytesMax, lanes, capacity, keep }
    if (!keepsTimelines || timelinesFile === undefined) return createMemoryViews(memory)
    const file = isHome ? timelinesFile : `${timelinesFile}.${name}`
    return openMemoryViews({ ...memory, file, onNotice })
  }
  const views = closers.add(await open(homeView))
  const otherViews = new Map<string, Views>()
  for (const spec of otherSpecs(options)) otherViews.set(spec.name, closers.add(await open(spec)))
  const ephemeral = closers.add(createMemoryEphemeral({ env }))
  const bus = closers.add(createMemoryBus({ env }))
  return { views, otherViews, ephemeral, bus, figures: [], close: closers.close }
}

const DRIVERS = {
  redis: 'redis',
  'kafka and cassandra': '@platformatic/kafka cassandra-driver',
} as const

async function loaded<T>(what: keyof typeof DRIVERS, load: () => Promise<T>): Promise<T> {
  try {
    return await load()
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND')) throw error
    const message = `the client for ${what} is not installed; run npm install ${DRIVERS[what]}`
    throw new RivuletError('config_invalid', message, { cause: error })
  }
}

function halfOfTwo(isKafkaMissing: boolean): RivuletError {
  const [given, missing] = isKafkaMissing ? ['cassandra', 'kafka'] : ['kafka', 'cassandra']
  const message = `the setting ${given} needs ${missing}, because log and rows go to engines together: set RIVULET_${missing.toUpperCase()} too, or remove ${given}`
  return new RivuletError('config_invalid', message)
}

/** Notes that rows were imported: the log does not hold them, so a store without them is not complete. */
export async function noteImport({ notes, env }: Pick<OpenPorts, 'notes' | 'env'>): Promise<void> {
  await notes.keep(IMPORTED_FILE, () => JSON.stringify({ first_at_ms: env.wallMs() }))
}
