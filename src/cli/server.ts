/** Runs the server in the foreground, from its start until a signal ends it. */

import { compose, type Composed } from '../app/server/compose.ts'
import { demoHints, loadDemo, loadDemoFiles } from '../app/demo/demo.ts'
import type { Config } from '../app/config/settings.ts'
import { createTelemetry, type Telemetry } from '../app/telemetry.ts'
import type { Env } from '../ports/env/env.ts'
import { createRealEnv } from '../app/ports/open.ts'
import { processEnvironment } from '../app/config/config.ts'
import { announcement, type Readiness } from './announce.ts'
import { EXIT, listenFailure, reportFailure } from './failure.ts'
import { endWithin } from './hard-end.ts'
import { SERVE_SETTINGS, type ServeFlags } from './serve-flags.ts'
import { assertOnePlace, configOf } from './setting-flags.ts'
import { starterGone } from './starter.ts'
import { createTerminal, type Terminal } from './terminal.ts'
import { readVersion } from '../app/version.ts'

const version = readVersion()

export async function serve(flags: ServeFlags): Promise<void> {
  const env = createRealEnv()
  const notices: string[] = []
  const { config, given } = configOf(flags, SERVE_SETTINGS, (text) => void notices.push(text))
  assertOnePlace(flags, config)
  const isDemo = flags.demo === true
  // On a terminal, a log line per request would drown the addresses and hints that people want to read.
  const isQuiet = !given.has('logLevel') && (isDemo || process.stderr.isTTY === true)
  const telemetry = createTelemetry(env, isQuiet ? 'warn' : config.logLevel)
  for (const notice of notices) telemetry.logger.warn(notice)
  const terminal = createTerminal(env)
  const onFatal = (error: unknown) => endFatally(telemetry, error)
  const asked = Promise.race([listenForSignals(env).first, starterGone(env, processEnvironment())])
  const prepare = isDemo ? loadDemoFiles(terminal.progress, onFatal) : undefined
  const parts = {
    env,
    config,
    version,
    logger: telemetry.logger,
    onFatal,
    ...(prepare && { prepare, showsDemo: true }),
  }
  try {
    const composed = await startOrEnd(compose(parts), asked, terminal)
    try {
      if (isDemo) await loadDemo(composed.rivulet, composed.notes)
      terminal.endProgress()
      const ready = await beReady(composed, config, telemetry)
      const { place, keys } = composed
      terminal.print(announcement({ version, config, place, keys, ...ready }).join('\n'))
      if (isDemo && config.role !== 'worker')
        terminal.print((await demoHints(composed, ready.url)).join('\n'))
      telemetry.logger.info({ signal: await asked }, 'ending')
    } finally {
      endWithin(KILLED_AFTER_MS)
      const isLate = env.timer(END_WITHIN_MS, () => void endLate(telemetry))
      await composed.close().finally(() => isLate.cancel())
    }
    telemetry.logger.info('ended')
  } finally {
    await telemetry.close()
  }
}

/** A start may wait long for a deployment that another process has: a signal ends the wait at once. */
async function startOrEnd(
  starting: Promise<Composed>,
  asked: Promise<string>,
  terminal: Terminal,
): Promise<Composed> {
  const ended = asked.then(() => undefined)
  const composed = await Promise.race([starting, ended])
  if (composed !== undefined) return composed
  terminal.endProgress()
  // Nothing has been acknowledged to a client yet.
  process.exit(EXIT.ok)
}

async function beReady(
  composed: Composed,
  config: Config,
  { logger }: Telemetry,
): Promise<Pick<Readiness, 'url' | 'metricsUrl'>> {
  const { host, metricsHost = host, role } = config
  // Before the API: once that answers, metrics may be scraped.
  const metrics = await composed.listenForMetrics().catch((error: unknown) => {
    throw listenFailure(error, metricsHost, config.metricsPort ?? 0, '--metrics-port or --metrics-host')
  })
  const { url, port } = await composed.listen().catch((error: unknown) => {
    throw listenFailure(error, host, config.port, '--port or --host')
  })
  const apart = metrics === undefined ? {} : { metrics_host: metricsHost, metrics_port: metrics.port }
  logger.info({ host, port, ...apart, version, role, place: composed.place }, 'listening')
  return { url, metricsUrl: metrics?.url }
}

/** Under npm, one Ctrl-C arrives twice, from the terminal and from npm: within this time it counts as one. */
const SAME_SIGNAL_MS = 500

/** The first signal asks for a clean end; a second one ends the process at once. */
function listenForSignals(env: Env): { first: Promise<NodeJS.Signals> } {
  let askedAtMs: number | undefined
  const first = new Promise<NodeJS.Signals>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.on(signal, () => {
        askedAtMs ??= env.monotonicMs()
        if (env.monotonicMs() - askedAtMs > SAME_SIGNAL_MS) process.exit(EXIT.failed)
        resolve(signal)
      })
    }
  })
  return { first }
}

/** For a clean end, of which requests have ten seconds. Supervisors commonly kill after thirty. */
const END_WITHIN_MS = 25_000
/** The process is killed after this time, whatever keeps it from ending. */
const KILLED_AFTER_MS = 28_000
const FATAL_WITHIN_MS = 3_000

/** Ends although an engine does not answer: acknowledged writes are in the log, other work is repeated at a start. */
async function endLate(telemetry: Telemetry): Promise<never> {
  telemetry.logger.warn(
    `the server did not end within ${END_WITHIN_MS / 1_000} s, because an engine does not answer; it ends now`,
  )
  await telemetry.close()
  process.exit(EXIT.failed)
}

/** Ends at once: a process that cannot write must not answer any more. Acknowledged writes are in the log. */
function endFatally(telemetry: Telemetry, error: unknown): never {
  endWithin(FATAL_WITHIN_MS)
  telemetry.fatal(error)
  process.exit(reportFailure(error) || EXIT.failed)
}
