/**
 * The open event streams of this process. An account may have a few at once; when it opens one more, its oldest ends,
 * because that may belong to a client that vanished without a word. A server that stops ends all streams at once.
 */

import type { FastifyReply, FastifyRequest } from 'fastify'
import { RivuletError } from '../core/errors.ts'
import { OpenStream, type StreamBounds, type StreamParts, type StreamWatch } from './event-stream.ts'
import type { StreamStats } from './metrics.ts'

/** Half of the connections that a server takes (server.ts), so that streams leave room for requests. */
const STREAMS_MAX = 10_000

export interface StreamsOptions extends StreamBounds {
  readonly streamsMax: number
  readonly perAccountMax: number
}

const DEFAULTS: StreamsOptions = {
  streamsMax: STREAMS_MAX,
  perAccountMax: 8,
  waitingBytesMax: 262_144,
  roomBytes: 65_536,
  heartbeatMs: 15_000,
  lifeMs: 3_600_000,
  retryMs: 1_000,
}

export interface Streams {
  /** Throws `overloaded` or `shutting_down` when no stream can be opened now. */
  create(request: FastifyRequest, reply: FastifyReply, stats: StreamStats): OpenStream
  /** Ends all streams in order, and refuses new ones from now on. */
  drain(): void
}

export function createStreams(parts: StreamParts, options: Partial<StreamsOptions> = {}): Streams {
  const bounds = { ...DEFAULTS, ...options }
  const all = new Set<OpenStream>()
  /** Streams of accounts that have begun, oldest first. */
  const byAccount = new Map<number, Set<OpenStream>>()
  let isDraining = false

  /** Counts a stream for its account, until it ends. Streams of the application itself have the common bound only. */
  function watchOf(account: number | undefined): StreamWatch {
    return {
      begun(stream) {
        if (account === undefined) return
        const own = byAccount.get(account) ?? new Set()
        byAccount.set(account, own.add(stream))
        const [oldest] = own
        if (own.size > bounds.perAccountMax) oldest.finish('replaced')
      },
      ended(stream) {
        all.delete(stream)
        if (account === undefined) return
        const own = byAccount.get(account)
        own?.delete(stream)
        if (own?.size === 0) byAccount.delete(account)
      },
    }
  }

  return {
    create(request, reply, stats) {
      if (isDraining) throw new RivuletError('shutting_down', 'this process is shutting down; connect again')
      if (all.size >= bounds.streamsMax)
        throw new RivuletError('overloaded', 'too many streams are open in this process; try again later')
      const watch = watchOf(request.caller?.account?.number)
      const stream = new OpenStream(parts, bounds, request, reply, stats, watch)
      all.add(stream)
      stream.attend()
      return stream
    },
    drain() {
      isDraining = true
      for (const stream of all) stream.finish('drained')
    },
  }
}
