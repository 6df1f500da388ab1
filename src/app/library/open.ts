/** `openRivulet`: a whole Rivulet within a program, with the API as calls and, on demand, the HTTP server. */

import { RivuletError } from '../../core/errors.ts'
import { invalid } from '../../core/text.ts'
import { asRivuletError } from '../../http/problems.ts'
import type { Address, Composed, Listening } from '../server/compose.ts'
import { readConfig } from '../config/config.ts'
import { createRealEnv } from '../ports/open.ts'
import type { Config, SettingKey } from '../config/settings.ts'
import { createTelemetry, type Logger } from '../telemetry.ts'
import { readVersion } from '../version.ts'
import {
  accountCalls,
  applicationCalls,
  type AccountCalls,
  type ApplicationCalls,
  type Ask,
  type WriteOptions,
} from './calls.ts'
import { createGate, type Gate } from './gate.ts'
import type { AnswerOf, OperationName } from './operations.ts'
import { completed, type OwnPorts } from './own-ports.ts'

/** The settings of docs/operating.md by name; the environment is not read. `data` is `./data` by default. */
export interface OpenOptions extends Partial<Config> {
  /** Replaces the log of JSON lines on stderr (from `logLevel` on, `warn` by default). */
  readonly logger?: Logger
  /** Adapters of one's own, instead of a data folder or engines. */
  readonly ports?: OwnPorts
  /**
   * Called when the disk failed or an invariant is broken. From then on every call is refused and HTTP is not answered.
   * End the process: whatever was acknowledged is in the log.
   */
  readonly onFatal?: (error: unknown) => void
}

/** The calls of the application itself. They are not rate-limited. */
export interface OpenRivulet extends ApplicationCalls {
  /** The calls of the account `<id>` or `ext:<external id>`; it must exist by the time of a call. */
  as(account: string): AccountCalls
  /**
   * Serves the HTTP API, too. Rejects with `unavailable` if the address cannot be used, and with `conflict` if it
   * listens already.
   */
  listen(at?: Partial<Address>): Promise<Listening>
  /** The key for HTTP requests in the name of the application. */
  readonly serverKey: string
  /** Resolves when no work is left: everything written so far is fanned out. */
  settle(): Promise<void>
  /** Waits for calls under way, at most 10 seconds, and closes the data. Later calls reject with `shutting_down`. */
  close(): Promise<void>
}

const CLOSE_WITHIN_MS = 10_000
/** Settings that say where the data is, and contradict `ports`. */
const PLACES: readonly SettingKey[] = ['data', 'kafka', 'cassandra', 'redis']

/**
 * Opens engines, or a data folder, which is created if it does not exist and belongs to one process at a time.
 * Rejects with `config_invalid`, `data_locked`, `data_newer_format`, `data_corrupt` or `disk_error`.
 */
export async function openRivulet(options: OpenOptions = {}): Promise<OpenRivulet> {
  const { logger: ownLogger, ports: own, onFatal, ...settings } = options
  const env = own?.env ?? createRealEnv()
  const { config, given } = readConfig({ options: settings })
  const doubled = own === undefined ? undefined : PLACES.find((key) => given.has(key))
  if (doubled !== undefined)
    throw new RivuletError(
      'config_invalid',
      `ports and the setting ${doubled} both say where the data is; leave out one of them`,
    )
  const telemetry =
    ownLogger === undefined
      ? createTelemetry(env, given.has('logLevel') ? config.logLevel : 'warn')
      : { logger: ownLogger, close: () => undefined }
  const { logger } = telemetry
  const gate = createGate(env)
  let composed: Composed | undefined

  function failed(error: unknown): void {
    gate.refuse(asRivuletError(error instanceof Error ? error : new Error(String(error))))
    logger.fatal({ err: error }, 'a fatal error; every call is refused from now on')
    void composed?.app.close().catch(() => undefined)
    onFatal?.(error)
  }
  try {
    const ports = own === undefined ? {} : { ports: await completed(own, env, config) }
    // Imported only now: a program that uses only the class of errors need not load the HTTP server.
    const { compose } = await import('../server/compose.ts')
    composed = await compose({ env, config, version: readVersion(), logger, onFatal: failed, ...ports })
  } catch (error) {
    telemetry.close()
    throw error
  }
  return facade(composed, config, gate, async () => {
    await gate.close(CLOSE_WITHIN_MS)
    await composed.close().finally(() => telemetry.close())
  })
}

function facade(composed: Composed, config: Config, gate: Gate, end: () => Promise<void>): OpenRivulet {
  const { rivulet, keys, auth, operations } = composed
  let closing: Promise<void> | undefined

  const callsOf =
    (account: string | undefined) =>
    <N extends OperationName>(name: N, ask: Ask<N>, options: WriteOptions = {}) =>
      gate.pass(async () => {
        const { idempotencyKey } = writeOptions(options)
        const caller = () => auth.application(account)
        return (await operations.call(name, { caller, ...ask, idempotencyKey })) as AnswerOf<N>
      })

  return {
    ...applicationCalls(callsOf(undefined)),
    as(account) {
      if (typeof account !== 'string') throw invalid('account', 'must be a string')
      return accountCalls(callsOf(account))
    },
    listen: (at) => gate.pass(async () => listen(composed, addressOf(config, at))),
    serverKey: keys.serverKey,
    settle: () => gate.pass(() => rivulet.settle()),
    close: () => (closing ??= end()),
  }
}

/** Refuses unknown options: a misspelt `idempotencyKey` would protect nothing. */
function writeOptions(options: unknown): WriteOptions {
  const isObject = typeof options === 'object' && options !== null
  const unknown = isObject ? Object.keys(options).find((name) => name !== 'idempotencyKey') : undefined
  if (isObject && unknown === undefined) return options
  const what = unknown === undefined ? 'must be an object' : `has no option ${JSON.stringify(unknown)}`
  throw invalid('options', `${what}: writes take { idempotencyKey: '…' }`)
}

/** Host and port, validated as the settings of these names. */
function addressOf({ host, port }: Config, at: Partial<Address> = {}): Address {
  const unknown = Object.keys(at).find((name) => name !== 'host' && name !== 'port')
  if (unknown !== undefined)
    throw new RivuletError(
      'config_invalid',
      `listen takes host and port only, not ${JSON.stringify(unknown)}`,
    )
  return readConfig({ options: { host, port, ...at } }).config
}

async function listen({ app, listen }: Composed, at: Address): Promise<Listening> {
  if (app.server.listening) throw new RivuletError('conflict', 'this Rivulet listens already')
  try {
    return await listen(at)
  } catch (error) {
    const message = `cannot listen on ${at.host}:${at.port}: ${error instanceof Error ? error.message : String(error)}`
    throw new RivuletError('unavailable', message, { cause: error })
  }
}
