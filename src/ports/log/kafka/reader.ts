/**
 * A consumer's state: which partitions the group has assigned to it, where it reads in each, and what it has committed. It
 * starts to read a partition from, by precedence: the position of a seek; where it was, if it keeps the partition; the
 * group's committed position; the oldest record.
 */

import { within } from '../../env/deadlines.ts'
import type { LogReader } from '../consumer.ts'
import type { LogBatch, OnAssigned } from '../log.ts'
import type { KafkaCluster } from './cluster.ts'
import { KafkaFetcher } from './fetcher.ts'
import { GroupMember } from './member.ts'
import { backoffMs, describeError, type KafkaSettings } from './settings.ts'

export interface ReaderOptions {
  readonly settings: KafkaSettings
  readonly cluster: KafkaCluster
  readonly group: string
  /** Called when there may be more to read. */
  readonly onProgress: () => void
  readonly onEnd: (partition: number, end: number) => void
  readonly onAssigned: OnAssigned | undefined
}

const COMMIT_DELAY_MS = 100
const COMMIT_RETRY_MS = 1_000
const LAST_COMMIT_MS = 3_000
const NOTICE_FAILURES = 3

export class KafkaReader implements LogReader {
  readonly #options: ReaderOptions
  readonly #fetcher: KafkaFetcher
  /** Seeks in partitions that are not assigned yet. */
  readonly #seeks = new Map<number, number>()
  readonly #commits = new Map<number, number>()
  #member: GroupMember
  /** Changes with every assignment, and when one ends. */
  #version = 0
  #assigned = false
  #failures = 0
  #commitTimer: { cancel(): void } | undefined
  #closed = false

  constructor(options: ReaderOptions) {
    this.#options = options
    const { settings, cluster, onProgress, onEnd } = options
    this.#fetcher = new KafkaFetcher({ settings, cluster, onFetched: onProgress, onEnd })
    this.#member = this.#join(null)
  }

  #join(memberId: string | null): GroupMember {
    const { settings, cluster, group } = this.#options
    const member = new GroupMember({
      settings,
      bootstrap: cluster.bootstrap,
      group,
      memberId,
      onAssigned: (partitions) => void this.#onAssigned(member, partitions),
      onRevoked: () => this.#onRevoked(),
      onLost: (error) => this.#onLost(member, error),
    })
    member.join()
    return member
  }

  async #onAssigned(member: GroupMember, partitions: readonly number[]): Promise<void> {
    const version = ++this.#version
    const fresh = partitions.filter((partition) => !this.#fetcher.has(partition))
    try {
      const committed = fresh.length > 0 ? await member.committed(fresh) : new Map<number, number>()
      if (version !== this.#version || this.#closed) return
      this.#start(partitions, committed)
    } catch (error) {
      if (version === this.#version) member.fail(error)
    }
  }

  #start(partitions: readonly number[], committed: ReadonlyMap<number, number>): void {
    this.#fetcher.assign(
      new Map(
        partitions.map((partition) => [partition, this.#seeks.get(partition) ?? committed.get(partition)]),
      ),
    )
    for (const partition of partitions) this.#seeks.delete(partition)
    this.#assigned = true
    if (this.#failures >= NOTICE_FAILURES)
      this.#options.settings.onNotice(`Kafka: the consumer group ${this.#options.group} has partitions again`)
    this.#failures = 0
    this.#options.onAssigned?.(partitions)
    this.#options.onProgress()
  }

  #onRevoked(): void {
    this.#version++
    this.#assigned = false
    // This goes out before the client joins again, so that the next owner of a partition finds the positions.
    void this.#commitNow()
  }

  #onLost(member: GroupMember, error: unknown): void {
    const { settings, cluster, group } = this.#options
    this.#version++
    this.#assigned = false
    if (this.#closed) return
    this.#failures++
    if (this.#failures === NOTICE_FAILURES)
      settings.onNotice(`Kafka: this process is out of the consumer group ${group}: ${describeError(error)}`)
    settings.env.timer(backoffMs(settings.env, this.#failures), () => {
      // Finds a broker that answers, which the next membership then asks first.
      const looked = cluster.refresh().catch(() => undefined)
      void looked.then(() => {
        if (!this.#closed) this.#member = this.#join(member.memberId)
      })
    })
  }

  async read(recordsMax: number): Promise<LogBatch | undefined> {
    return this.#assigned ? this.#fetcher.read(recordsMax) : undefined
  }

  get caughtUp(): boolean {
    return !this.#assigned || this.#fetcher.caughtUp
  }

  /** Stays true during a rebalance: a batch that was dropped then would be missing if the partition is kept. */
  has(partition: number): boolean {
    return this.#fetcher.has(partition)
  }

  seek(partition: number, position: number): void {
    if (this.#assigned && this.#fetcher.has(partition)) this.#fetcher.seek(partition, position)
    else this.#seeks.set(partition, position)
  }

  /** Remembers the position; it is sent with others soon. */
  commit(partition: number, position: number): void {
    this.#commits.set(partition, position)
    this.#commitLater(COMMIT_DELAY_MS)
  }

  #commitLater(delayMs: number): void {
    if (this.#closed) return
    this.#commitTimer ??= this.#options.settings.env.timer(delayMs, () => void this.#commitNow())
  }

  async #commitNow(): Promise<void> {
    this.#commitTimer?.cancel()
    this.#commitTimer = undefined
    // Positions of partitions that another consumer has by now are not committed.
    const positions = new Map([...this.#commits].filter(([partition]) => this.#fetcher.has(partition)))
    this.#commits.clear()
    if (positions.size === 0) return
    try {
      await this.#member.commit(positions)
    } catch {
      for (const [partition, position] of positions) {
        if (!this.#commits.has(partition)) this.#commits.set(partition, position)
      }
      this.#commitLater(COMMIT_RETRY_MS)
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#version++
    await this.#fetcher.close()
    const { env } = this.#options.settings
    await within(env, LAST_COMMIT_MS, this.#commitNow(), () => new Error('slow')).catch(() => undefined)
    this.#commitTimer?.cancel()
    await this.#member.leave()
  }
}
