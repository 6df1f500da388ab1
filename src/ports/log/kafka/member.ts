/**
 * One membership in a consumer group: joining, heartbeats and committed positions, through the client's consumer and the
 * classic protocol. The client's streams are not used, because they cannot seek and do not recover from a failure.
 *
 * A membership ends at the first failure that does not pass at once, because the client would go on asking a dead
 * coordinator. The next membership uses the same member id: if it comes in time, there is no rebalance.
 */

import { within } from '../../env/deadlines.ts'
import { Consumer, type ConsumerOptions } from '@platformatic/kafka'
import { CONNECT_TIMEOUT_MS, guarded, type KafkaSettings } from './settings.ts'

export interface MemberOptions {
  readonly settings: KafkaSettings
  readonly bootstrap: readonly string[]
  readonly group: string
  /** The member id of the membership before, if there was one. */
  readonly memberId: string | null
  readonly onAssigned: (partitions: readonly number[]) => void
  /** A rebalance has begun: this member has no partitions until `onAssigned`. */
  readonly onRevoked: () => void
  readonly onLost: (error: unknown) => void
}

const SESSION_MS = 6_000
const REBALANCE_MS = 10_000
const HEARTBEAT_MS = 1_000
/** Joining takes as long as the slowest member takes, and a little more. */
const JOIN_MS = REBALANCE_MS + SESSION_MS
const LEAVE_MS = 3_000

export class GroupMember {
  readonly #options: MemberOptions
  readonly #consumer: Consumer<Buffer, Buffer, Buffer, Buffer>
  #memberId: string | null = null
  #aliveUntilMs = 0
  #watch: { cancel(): void } | undefined
  #ended = false

  constructor(options: MemberOptions) {
    this.#options = options
    const consumer = new Consumer({
      clientId: options.settings.clientId,
      bootstrapBrokers: [...options.bootstrap],
      groupId: options.group,
      autocommit: false,
      sessionTimeout: SESSION_MS,
      rebalanceTimeout: REBALANCE_MS,
      heartbeatInterval: HEARTBEAT_MS,
      retries: 2,
      retryDelay: 200,
      connectTimeout: CONNECT_TIMEOUT_MS,
      requestTimeout: JOIN_MS,
      ...options.settings.security,
    } as ConsumerOptions<Buffer, Buffer, Buffer, Buffer>)
    this.#consumer = guarded(consumer)
    this.#consumer.memberId = options.memberId
    this.#consumer.topics.track(options.settings.topic)
    this.#listen()
  }

  get memberId(): string | null {
    return this.#memberId
  }

  #listen(): void {
    const consumer = this.#consumer
    const { onAssigned, onRevoked, settings } = this.#options
    consumer.on('consumer:group:join', ({ memberId, assignments }) => {
      if (this.#ended) return
      this.#memberId = memberId
      this.#alive(SESSION_MS)
      const own = assignments?.filter(({ topic }) => topic === settings.topic) ?? []
      onAssigned(own.flatMap(({ partitions }) => partitions))
    })
    consumer.on('consumer:group:rebalance', () => {
      if (this.#ended) return
      this.#alive(JOIN_MS)
      onRevoked()
    })
    consumer.on('consumer:heartbeat:end', () => this.#alive(SESSION_MS))
    consumer.on('consumer:heartbeat:error', ({ error }) => this.fail(error))
    consumer.on('error' as never, ((error: unknown) => this.fail(error)) as never)
  }

  join(): void {
    this.#alive(JOIN_MS + SESSION_MS)
    this.#watchOver()
    this.#consumer.joinGroup({}).catch((error: unknown) => this.fail(error))
  }

  #alive(forMs: number): void {
    this.#aliveUntilMs = this.#options.settings.env.monotonicMs() + forMs
  }

  /** Ends the membership when heartbeats stop: the brokers then give its partitions to other members. */
  #watchOver(): void {
    const { env } = this.#options.settings
    this.#watch = env.timer(HEARTBEAT_MS, () => {
      if (env.monotonicMs() > this.#aliveUntilMs) this.fail(new Error('no heartbeat'))
      else this.#watchOver()
    })
  }

  fail(error: unknown): void {
    if (this.#ended) return
    this.#end()
    this.#options.onLost(error)
  }

  /** Returns the committed positions of those partitions that have one. */
  async committed(partitions: readonly number[]): Promise<ReadonlyMap<number, number>> {
    const { topic } = this.#options.settings
    const offsets = await this.#consumer.listCommittedOffsets({
      topics: [{ topic, partitions: [...partitions] }],
    })
    const own = offsets.get(topic) ?? []
    return new Map(
      partitions.flatMap((partition) =>
        (own[partition] ?? -1n) < 0n ? [] : [[partition, Number(own[partition])] as const],
      ),
    )
  }

  async commit(positions: ReadonlyMap<number, number>): Promise<void> {
    if (this.#ended || this.#memberId === null) throw new Error('not a member')
    const { topic } = this.#options.settings
    const offsets = [...positions].map(([partition, position]) => ({
      topic,
      partition,
      offset: BigInt(position),
      leaderEpoch: -1,
    }))
    await this.#consumer.commit({ offsets })
  }

  /** Leaves the group, so that other members need not wait for the session to end. */
  async leave(): Promise<void> {
    if (this.#ended) return
    const { env } = this.#options.settings
    this.#ended = true
    await within(
      env,
      LEAVE_MS,
      this.#consumer.close(true) as unknown as Promise<void>,
      () => new Error('slow'),
    ).catch(() => undefined)
    this.#end()
  }

  /** Stops without leaving the group. */
  #end(): void {
    this.#ended = true
    this.#watch?.cancel()
    // Without a member id the client does not leave the group, but its heartbeats stop.
    this.#consumer.memberId = null
    quiet(this.#consumer.leaveGroup(true))
    for (const [, connection] of this.#consumer.connections) connection.socket?.destroy()
    quiet(this.#consumer.close(true))
  }
}

/** Ignores the outcome of tasks of a membership that is over. */
const quiet = (task: void | Promise<void>): void => void Promise.resolve(task).catch(() => undefined)
