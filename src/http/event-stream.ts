/**
 * One open stream of server-sent events. What waits for its client is bounded: a stream whose client reads too slowly
 * is cut. Comments keep a silent stream alive, and show whether its client is still there.
 */

import type { FastifyReply, FastifyRequest } from 'fastify'
import type { OutgoingHttpHeaders } from 'node:http'
import type { Env } from '../ports/env/env.ts'
import { recordServed, type AccessLog } from './access-log.ts'
import { eventText, HEARTBEAT, type ServerSentEvent } from './event-text.ts'
import { onRequestBehind } from './in-order.ts'
import type { StreamStats } from './metrics.ts'
import type { Outbound } from './outbound.ts'
import { asRivuletError } from './problems.ts'

/** What the handler of a stream route writes to. None of its methods throws. */
export interface EventStream {
  /** The id of the last event that the client got before it connected again. */
  readonly lastEventId: string | undefined
  /** Aborted when the stream has ended, for whatever reason. */
  readonly signal: AbortSignal
  /**
   * Sends an event; does nothing once the stream has ended.
   * @returns whether there is room for another. A stream that is given more regardless is cut at its bound
   */
  send(event: ServerSentEvent): boolean
  /** Resolves when there is room for more events, or when the stream has ended. */
  room(): Promise<void>
  /** Ends the stream in order. Clients connect again, after `retryMs` if it is given. */
  end(retryMs?: number): void
}

/**
 * Why a stream ended; the label of a metric.
 * - `done`: its route ended it
 * - `gone`: its client went away, or closed its sending side
 * - `slow`: too much waited for its client, or the client took nothing from one heartbeat to the next
 * - `replaced`: its account opened more streams than it may have, and this was the oldest
 * - `followed`: its client sent another request on the same connection, which is answered after the stream
 * - `aged`: it reached its longest life
 * - `drained`: the server stops
 * - `failed`: its route failed
 */
export type StreamEnd = 'done' | 'gone' | 'slow' | 'replaced' | 'followed' | 'aged' | 'drained' | 'failed'

/** Ends after which the client should connect again, at a moment of the server's choice. */
const COME_BACK: ReadonlySet<StreamEnd> = new Set(['replaced', 'aged', 'drained', 'failed'])

export interface StreamBounds {
  /** Bytes that may wait for the client of one stream. One event may be larger, if none waits before it. */
  readonly waitingBytesMax: number
  /** With fewer waiting bytes, a stream has room for more events. */
  readonly roomBytes: number
  /** Well below the time after which servers and proxies close a silent connection. */
  readonly heartbeatMs: number
  /** A stream ends after this time, so that its client must show a valid token again. */
  readonly lifeMs: number
  /** A client that shall come back waits for this time to five times as long, so that not all come at once. */
  readonly retryMs: number
}

export interface StreamParts {
  readonly env: Pick<Env, 'timer' | 'monotonicMs' | 'random'>
  readonly outbound: Outbound
  readonly log: AccessLog
}

/** Told to those who count streams. */
export interface StreamWatch {
  begun(stream: OpenStream): void
  ended(stream: OpenStream): void
}

const EVENT_HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  // Asks nginx and others not to collect events before they pass them on.
  'x-accel-buffering': 'no',
} as const

export const setEventHeaders = (reply: FastifyReply): FastifyReply => reply.headers(EVENT_HEADERS)

export class OpenStream implements EventStream {
  readonly lastEventId: string | undefined
  private readonly ending = new AbortController()
  private readonly parts: StreamParts
  private readonly bounds: StreamBounds
  private readonly request: FastifyRequest
  private readonly reply: FastifyReply
  private readonly stats: StreamStats
  private readonly watch: StreamWatch
  private readonly hold: (bytes: number) => void
  private readonly bornMs: number
  private readonly lifeMs: number
  private beat: { cancel(): void } | undefined
  private hasBegun = false
  private endedAs: StreamEnd | undefined
  /** An orderly end that waits until the route has opened the stream. */
  private due: StreamEnd | undefined
  private waitingBytes = 0
  private events = 0
  /** At the last heartbeat; and what has happened since. */
  private hadWaiting = false
  private hasTaken = false
  private hasSent = false
  private whenRoom: { readonly promise: Promise<void>; readonly wake: () => void } | undefined

  constructor(
    parts: StreamParts,
    bounds: StreamBounds,
    request: FastifyRequest,
    reply: FastifyReply,
    stats: StreamStats,
    watch: StreamWatch,
  ) {
    this.parts = parts
    this.bounds = bounds
    this.request = request
    this.reply = reply
    this.stats = stats
    this.watch = watch
    const { env, outbound } = parts
    const lastEventId = request.headers['last-event-id']
    this.lastEventId = typeof lastEventId === 'string' ? lastEventId : undefined
    this.hold = outbound.holder(request.raw.socket)
    this.bornMs = env.monotonicMs()
    this.lifeMs = bounds.lifeMs * (0.9 + 0.1 * env.random())
  }

  /** Watches the connection, from now on. The client may have gone already, while its token was verified. */
  attend(): void {
    const { socket } = this.request.raw
    if (this.isGone) return this.finish('gone')
    this.reply.raw.once('close', this.onGone)
    // A client that closes its sending side gets what was sent, and an end: nothing tells it from one that went away.
    if (socket.readableEnded) this.due = 'gone'
    else socket.once('end', this.onGone)
    onRequestBehind(socket, () => this.finish('followed'))
  }

  get signal(): AbortSignal {
    return this.ending.signal
  }

  send(event: ServerSentEvent): boolean {
    if (this.endedAs !== undefined) return false
    let text: string
    try {
      text = eventText(event)
    } catch (error) {
      this.begin()
      this.finish('failed', error)
      return false
    }
    this.events++
    this.stats.events++
    this.begin()
    return this.write(Buffer.from(text)) && this.hasRoom
  }

  room(): Promise<void> {
    if (this.hasRoom || this.endedAs !== undefined) return Promise.resolve()
    if (this.whenRoom === undefined) {
      let wake = () => {}
      const promise = new Promise<void>((resolve) => (wake = resolve))
      this.whenRoom = { promise, wake }
    }
    return this.whenRoom.promise
  }

  end(retryMs?: number): void {
    if (retryMs !== undefined) this.send({ retryMs })
    this.finish('done')
  }

  /** The route has opened the stream. */
  opened(): void {
    this.begin()
    if (this.due !== undefined) this.finish(this.due)
  }

  /** The route threw. @returns whether the request can still be refused with this error */
  failed(error: unknown): boolean {
    const canRefuse = !this.hasBegun && this.endedAs === undefined
    this.finish('failed', canRefuse ? undefined : error)
    return canRefuse
  }

  /**
   * Ends the stream, once. While the route is still opening it, an end that comes from outside waits, because a request
   * under way is answered even by a server that stops.
   */
  finish(end: StreamEnd, cause?: unknown): void {
    if (this.endedAs !== undefined) return
    if (!this.hasBegun && end !== 'failed' && !this.isGone) {
      this.due ??= end
      return
    }
    this.endedAs = end
    this.beat?.cancel()
    this.request.raw.socket.off('end', this.onGone)
    if (this.hasBegun) this.leave(end, cause)
    this.watch.ended(this)
    this.wake()
    this.ending.abort()
  }

  private leave(end: StreamEnd, cause: unknown): void {
    const { log, env } = this.parts
    const { retryMs } = this.bounds
    this.stats.ended.set(end, (this.stats.ended.get(end) ?? 0) + 1)
    this.stats.open--
    if (cause !== undefined) log.failed(this.request, asRivuletError(errorOf(cause)), cause)
    log.streamed(this.request, {
      route: this.stats.route,
      end,
      seconds: Math.round(env.monotonicMs() - this.bornMs) / 1_000,
      events: this.events,
      waiting_bytes: this.waitingBytes,
    })
    if (this.isGone) return
    if (end === 'slow') return void this.reply.raw.destroy()
    if (COME_BACK.has(end))
      this.put(Buffer.from(eventText({ retryMs: Math.round(retryMs * (1 + 4 * env.random())) })))
    this.reply.raw.end()
  }

  /** Sends the head of the answer, once: from now on the request cannot be refused any more. */
  private begin(): void {
    if (this.hasBegun || this.endedAs !== undefined) return
    this.hasBegun = true
    const { reply, request } = this
    setEventHeaders(reply).hijack()
    reply.raw.writeHead(200, reply.getHeaders() as OutgoingHttpHeaders)
    // Recorded now: how long the stream stays open is no latency.
    recordServed(this.parts.log, request.stats, request, reply)
    request.isRecorded = true
    this.stats.open++
    // Node sends the head with the first bytes of the body.
    this.put(Buffer.from(HEARTBEAT))
    this.hasSent = false
    this.beat = this.parts.env.timer(this.bounds.heartbeatMs, this.onBeat)
    this.watch.begun(this)
  }

  /** @returns whether the stream goes on */
  private write(bytes: Buffer): boolean {
    if (this.endedAs !== undefined) return false
    const { waitingBytesMax } = this.bounds
    const isOver = this.waitingBytes + bytes.length > waitingBytesMax || this.parts.outbound.isFull
    if (this.waitingBytes > 0 && isOver) {
      this.finish('slow')
      return false
    }
    this.put(bytes)
    return true
  }

  private put(bytes: Buffer): void {
    this.hasSent = true
    this.waitingBytes += bytes.length
    this.hold(bytes.length)
    this.reply.raw.write(bytes, () => {
      this.hasTaken = true
      this.waitingBytes -= bytes.length
      this.hold(-bytes.length)
      if (this.hasRoom) this.wake()
    })
  }

  private get isGone(): boolean {
    return this.reply.raw.closed || this.reply.raw.destroyed
  }

  private get hasRoom(): boolean {
    return this.waitingBytes < this.bounds.roomBytes
  }

  private wake(): void {
    this.whenRoom?.wake()
    this.whenRoom = undefined
  }

  private readonly onGone = (): void => this.finish('gone')

  private readonly onBeat = (): void => {
    if (this.hadWaiting && !this.hasTaken) return this.finish('slow')
    if (this.parts.env.monotonicMs() - this.bornMs >= this.lifeMs) return this.finish('aged')
    if (!this.hasSent) this.put(Buffer.from(HEARTBEAT))
    this.hadWaiting = this.waitingBytes > 0
    this.hasTaken = false
    this.hasSent = false
    this.beat = this.parts.env.timer(this.bounds.heartbeatMs, this.onBeat)
  }
}

const errorOf = (thrown: unknown): Error => (thrown instanceof Error ? thrown : new Error(String(thrown)))
