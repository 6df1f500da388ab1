/**
 * A connection to Redis or Valkey, a single server or a cluster, that several adapters share. Every command has a
 * deadline. When one passes, a new connection is opened beside the old one, because a frozen server keeps its connections
 * open while another server may have taken over. Replies are bytes; errors are `RivuletError`s.
 */

import { createHash } from 'node:crypto'
import { RivuletError } from '../../core/errors.ts'
import { createDeadlines, within } from '../env/deadlines.ts'
import type { Env } from '../env/env.ts'
import { sleep } from '../env/sleep.ts'
import { openDriver, type Driver, type DriverOptions, type Listener, type Reply } from './redis-driver.ts'

export type { Reply } from './redis-driver.ts'

export interface RedisOptions extends Omit<DriverOptions, 'onError' | 'within'> {
  readonly env: Env
  /** Receives sentences for the operator, for example about a lost connection. */
  readonly onNotice: (text: string) => void
}

export interface Redis {
  readonly isCluster: boolean
  /**
   * Sends a command. All its keys must be in the slot of `key`. Rejects with `unavailable` when there is no answer; the
   * command may have been carried out then.
   */
  send(key: string, args: readonly (string | Buffer)[]): Promise<Reply>
  /** Runs a script. `key` is its KEYS[1]; other keys that it touches must be in the same slot. */
  run(script: RedisScript, key: string, args: readonly (string | Buffer)[]): Promise<Reply>
  publish(channel: string, message: Buffer): Promise<void>
  /** @returns a function that ends the subscription */
  subscribe(channel: string, listener: Listener): Promise<() => Promise<void>>
  close(): Promise<void>
}

export interface RedisScript {
  readonly source: string
  readonly sha: string
}

export const defineScript = (source: string): RedisScript => ({
  source,
  sha: createHash('sha1').update(source).digest('hex'),
})

const COMMAND_TIMEOUT_MS = 2_000
const RENEW_PAUSE_MS = 500
const PROBE_MS = 250
/** For each step of connecting, so that a frozen node does not keep another one from being tried. */
const STEP_TIMEOUT_MS = 2_500
const RETRY_AFTER_MS = 1_000
const TROUBLE_ENDS_AFTER_MS = 5_000

export async function connectRedis({ env, onNotice, ...options }: RedisOptions): Promise<Redis> {
  const inTime = <T>(task: Promise<T>) => within(env, STEP_TIMEOUT_MS, task)
  const trouble = createTrouble(env, onNotice)
  const open = () => openDriver({ ...options, within: inTime, onError: trouble.tell })
  const first = await open().catch((error: unknown) => {
    throw connectionError(options.nodes, error)
  })
  return new Connection(env, open, first, trouble)
}

class Connection implements Redis {
  private readonly env: Env
  private readonly open: () => Promise<Driver>
  private readonly trouble: Trouble
  private driver: Driver
  private readonly deadlines: ReturnType<typeof createDeadlines>
  private readonly subscriptions = new Set<{ readonly channel: string; readonly listener: Listener }>()
  private readonly retired = new Set<Driver>()
  private renewing: Promise<void> | undefined
  private isClosed = false
  /** A command missed its deadline, and nothing has been answered since it was sent. */
  private isSilent = false
  private answeredAtMs = 0
  private probedAtMs = 0

  constructor(env: Env, open: () => Promise<Driver>, driver: Driver, trouble: Trouble) {
    this.env = env
    this.trouble = trouble
    this.open = open
    this.driver = driver
    this.deadlines = createDeadlines(env, COMMAND_TIMEOUT_MS)
  }

  get isCluster(): boolean {
    return this.driver.isCluster
  }

  send(key: string, args: readonly (string | Buffer)[]): Promise<Reply> {
    return this.call((driver) => driver.send(key, args))
  }

  run(script: RedisScript, key: string, args: readonly (string | Buffer)[]): Promise<Reply> {
    const tail = ['1', key, ...args]
    return this.call(async (driver) => {
      try {
        return await driver.send(key, ['EVALSHA', script.sha, ...tail])
      } catch (error) {
        // A new server, or one that restarted empty, does not know the script yet.
        if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error
        return driver.send(key, ['EVAL', script.source, ...tail])
      }
    })
  }

  publish(channel: string, message: Buffer): Promise<void> {
    return this.call(async (driver) => void (await driver.publish(channel, message)))
  }

  async subscribe(channel: string, listener: Listener): Promise<() => Promise<void>> {
    const subscription = { channel, listener }
    this.subscriptions.add(subscription)
    try {
      await this.call((driver) => driver.listen(channel, listener))
    } catch (error) {
      this.subscriptions.delete(subscription)
      throw error
    }
    return async () => {
      this.subscriptions.delete(subscription)
      if (!this.isClosed) await this.call((driver) => driver.unlisten(channel, listener))
    }
  }

  async close(): Promise<void> {
    if (this.isClosed) return
    this.isClosed = true
    for (const driver of [this.driver, ...this.retired]) driver.destroy()
    this.retired.clear()
    await this.renewing
  }

  private call<T>(task: (driver: Driver) => Promise<T>): Promise<T> {
    if (this.isClosed) {
      return Promise.reject(new RivuletError('shutting_down', 'the connection to Redis is closed'))
    }
    if (this.isSilent && !this.mayProbe()) return Promise.reject(silent())
    const sinceMs = this.env.monotonicMs()
    return new Promise<T>((resolve, reject) => {
      const watched = this.deadlines.watch((late) => {
        reject(late)
        if (this.answeredAtMs < sinceMs) this.isSilent = true
        this.renewing ??= this.renew().finally(() => (this.renewing = undefined))
      })
      task(this.driver).then(
        (answer) => {
          watched.end()
          this.answered()
          resolve(answer)
        },
        (error: unknown) => {
          watched.end()
          reject(commandError(error))
        },
      )
    })
  }

  private answered(): void {
    this.answeredAtMs = this.env.monotonicMs()
    this.isSilent = false
    this.trouble.ended()
  }

  /** While nothing answers, commands are refused at once, and only one now and then is sent to try. */
  private mayProbe(): boolean {
    const nowMs = this.env.monotonicMs()
    if (nowMs - this.probedAtMs < PROBE_MS) return false
    this.probedAtMs = nowMs
    return true
  }

  /** Closes the old connection after a deadline, so that its pending answers can still arrive. */
  private retire(old: Driver): void {
    this.retired.add(old)
    this.env.timer(COMMAND_TIMEOUT_MS, () => {
      if (this.retired.delete(old)) old.destroy()
    })
  }

  private async renew(): Promise<void> {
    const next = await this.open().catch(() => undefined)
    if (next !== undefined && !this.isClosed) {
      const old = this.driver
      this.driver = next
      this.answered()
      for (const { channel, listener } of this.subscriptions)
        await within(this.env, COMMAND_TIMEOUT_MS, next.listen(channel, listener)).catch(() => undefined)
      this.retire(old)
    } else next?.destroy()
    if (!this.isClosed) await sleep(this.env, RENEW_PAUSE_MS)
  }
}

interface Trouble {
  tell(error: unknown): void
  ended(): void
}

/** Tells each kind of trouble once, until it changes or ends: a lost server causes many errors a second. */
function createTrouble(env: Env, onNotice: (text: string) => void): Trouble {
  let last: string | undefined
  let lastAtMs = 0
  return {
    tell(error) {
      const text = error instanceof Error ? error.message : String(error)
      if (text !== last) onNotice(`Redis: ${text}`)
      last = text
      lastAtMs = env.monotonicMs()
    },
    ended() {
      // Other nodes of a cluster answer all the time, so trouble has ended only when it has not occurred for a while.
      if (last === undefined || env.monotonicMs() - lastAtMs < TROUBLE_ENDS_AFTER_MS) return
      onNotice('Redis answers again')
      last = undefined
    },
  }
}

const silent = () =>
  new RivuletError('unavailable', 'Redis does not answer; retry later', { retryAfterMs: RETRY_AFTER_MS })

/** A Redis without memory is `overloaded`; every other error is `unavailable`. */
function commandError(error: unknown): RivuletError {
  const detail = error instanceof Error ? error.message : String(error)
  const options = { retryAfterMs: RETRY_AFTER_MS, cause: error }
  if (/^OOM /.test(detail)) {
    const message =
      'Redis has reached its maxmemory. Raise it, or set an eviction policy such as allkeys-lru: evicted timelines are rebuilt'
    return new RivuletError('overloaded', message, options)
  }
  return new RivuletError('unavailable', 'Redis did not answer a command; retry', options)
}

function connectionError(nodes: readonly string[], error: unknown): RivuletError {
  const detail = error instanceof Error ? error.message : String(error)
  const where = `Redis at ${nodes.join(', ')} (the setting RIVULET_REDIS)`
  if (/WRONGPASS|NOAUTH|NOPERM/.test(detail)) {
    const message = `${where} refuses the user or password (${detail}); set RIVULET_REDIS_USERNAME and RIVULET_REDIS_PASSWORD`
    return new RivuletError('config_invalid', message, { cause: error })
  }
  const message = `${where} cannot be reached: ${detail || 'no answer'}; check that it runs, that the address is right, and whether it needs RIVULET_REDIS_TLS`
  return new RivuletError('unavailable', message, { retryAfterMs: RETRY_AFTER_MS, cause: error })
}
