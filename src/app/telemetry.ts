/**
 * The log of a process: JSON lines on stderr, so that stdout is free for what people read. Lines are gathered and
 * written a few times a second, and before the process ends.
 */

import { writeSync } from 'node:fs'
import pino from 'pino'
import { within } from '../ports/env/deadlines.ts'
import type { Env } from '../ports/env/env.ts'
import { createLogOutput } from './log-output.ts'
import type { Config } from './config/settings.ts'

export type Logger = pino.Logger

export interface Telemetry {
  readonly logger: Logger
  /** Writes the last line of a process that must end at once, before this returns if that is possible. */
  fatal(error: unknown): void
  /** Writes the waiting lines, for at most a second: a log that nobody reads does not keep the process from ending. */
  close(): Promise<void>
}

const STDERR = 2
/** In characters. A request logs about 300. */
const GATHERED_MAX = 8_192
const WAITING_MAX = 16 * 2 ** 20
const FLUSH_INTERVAL_MS = 250
const LAST_LINES_WITHIN_MS = 1_000

/** Like pino's `isoTime`, but lines of the same millisecond share one text. */
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
  const out = createLogOutput({
    env,
    fd: STDERR,
    gatheredMax: GATHERED_MAX,
    waitingMax: WAITING_MAX,
  })
  const logger = pino({ level, base: null, timestamp: createTimestamps(env) }, out)
  let timer = env.timer(FLUSH_INTERVAL_MS, tick)

  function tick(): void {
    out.flush()
    timer = env.timer(FLUSH_INTERVAL_MS, tick)
  }
  return {
    logger,
    fatal(error) {
      const write = (line: string) => void writeSync(STDERR, out.take() + line)
      try {
        pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, { write }).fatal(
          { err: error },
          'a fatal error; the process ends now',
        )
      } catch {
        // The reader of the log has gone.
      }
    },
    async close() {
      timer.cancel()
      await within(env, LAST_LINES_WITHIN_MS, out.drained()).catch(() => undefined)
    },
  }
}
