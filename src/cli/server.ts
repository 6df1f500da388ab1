/** The server in the foreground, from its start to the signal that ends it. */

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
  // On a terminal, a line a request would drown what people came to read.
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

/** A start may wait for long, for a deployment that another process serves: a signal ends that at once. */
async function startOrEnd(
  starting: Promise<Composed>,
  asked: Promise<string>,
  terminal: Terminal,
): Promise<Composed> {
  const ended = asked.then(() => undefined)
  const composed = await Promise.race([starting, ended])
  if (composed !== undefined) return composed
  terminal.endProgress()
  // Nothing was promised to anybody yet.
  process.exit(EXIT.ok)
}

async function beReady(
  composed: Composed,
  config: Config,
  { logger }: Telemetry,
): Promise<Pick<Readiness, 'url' | 'metricsUrl'>> {
  const { host, metricsHost = host, role } = config
  // Before the API: whoever finds that one there may scrape.
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

/** Ctrl-C under npm comes twice, from the terminal and from npm: that is still one wish. */
const SAME_WISH_MS = 500

/** The first signal asks for a clean end, the second does not wait for it. */
function listenForSignals(env: Env): { first: Promise<NodeJS.Signals> } {
  let askedAtMs: number | undefined
  const first = new Promise<NodeJS.Signals>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.on(signal, () => {
        askedAtMs ??= env.monotonicMs()
        if (env.monotonicMs() - askedAtMs > SAME_WISH_MS) process.exit(EXIT.failed)
        resolve(signal)
      })
    }
  })
  return { first }
}

/** Requests have ten seconds of it. Supervisors commonly wait for thirty before they kill. */
const END_WITHIN_MS = 25_000
/** Whatever holds it up. */
const KILLED_AFTER_MS = 28_000
const FATAL_WITHIN_MS = 3_000

/** An engine does not answer. What was acknowledged is in the log; what is not saved of the rest is done again. */
async function endLate(telemetry: Telemetry): Promise<never> {
  telemetry.logger.warn(`did not end within ${END_WITHIN_MS / 1_000} s: an engine does not answer; ends now`)
  await telemetry.close()
  process.exit(EXIT.failed)
}

/** What was acknowledged is in the log; a process that cannot write must not answer any more. */
function endFatally(telemetry: Telemetry, error: unknown): never {
  endWithin(FATAL_WITHIN_MS)
  telemetry.fatal(error)
  process.exit(reportFailure(error) || EXIT.failed)
}
