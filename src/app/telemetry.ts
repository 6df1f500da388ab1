/**
 * Logs: JSON lines on stderr, so that stdout is free for what people read. Lines are gathered and written a
 * few times a second; what is an error is written at once.
 */

import pino from 'pino'
import type { Env } from '../ports/env/env.ts'
import type { Config } from './settings.ts'

export type Logger = pino.Logger

export interface Telemetry {
  readonly logger: Logger
  /** Writes what was gathered, before the process goes on to end. */
  flush(): void
  close(): void
}

const STDERR = 2
/** A request logs about 300 bytes; above pino's own limit lines would be written in pieces. */
const GATHERED_BYTES = 8_192
const FLUSH_INTERVAL_MS = 250

/** As pino's `isoTime`, which makes a text anew for each of the lines of a millisecond. */
function createTimestamps({ wallMs }: Env): () => string {
  let lastMs = Number.NaN
  let text = ''
  return () => {
    const nowMs = wallMs()
    if (nowMs !== lastMs) text = `,"time":"${new Date(nowMs).toISOString()}"`
    lastMs = nowMs
    return text
  }
}

export function createTelemetry(env: Env, level: Config['logLevel']): Telemetry {
  const out = pino.destination({ dest: STDERR, sync: false, minLength: GATHERED_BYTES })
  // A log whose reader has gone away is no reason to stop serving.
  out.on('error', () => undefined)
  const logger = pino({ level, base: null, timestamp: createTimestamps(env) }, out)
  let timer = env.timer(FLUSH_INTERVAL_MS, tick)

  function tick(): void {
    out.flush()
    timer = env.timer(FLUSH_INTERVAL_MS, tick)
  }
  /** Fails while nothing was ever written, and where stderr is closed: both leave nothing to do. */
  function flush(): void {
    try {
      out.flushSync()
    } catch {
      // nobody to tell
    }
  }
  return {
    logger,
    flush,
    close() {
      timer.cancel()
      flush()
    },
  }
}
