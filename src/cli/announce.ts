/** What a server says on stdout once it is ready: where it is and where its things are, never a secret. */

import type { Keys } from '../app/keys.ts'
import { variableOf, type Config } from '../app/settings.ts'

export interface Readiness {
  readonly version: string
  readonly config: Config
  readonly place: string
  readonly keys: Pick<Keys, 'serverKeyPlace' | 'isNew'>
  readonly port: number
  /** Where the metrics have one of their own. */
  readonly metricsPort: number | undefined
}

export function announcement(ready: Readiness): string[] {
  const { version, config, place, keys, port } = ready
  const url = urlOf(config.host, port)
  const key = keyText(keys, config)
  const metrics = metricsUrl(ready)
  return [
    `Rivulet ${version} is ready: ${url}`,
    ...(config.role === 'all' ? [] : [`  role           ${config.role}`]),
    ...(config.role === 'worker' || config.docs === 'off' ? [] : [`  documentation  ${url}/docs`]),
    `  health         ${url}/readyz${metrics === undefined ? '' : `    metrics  ${metrics}`}`,
    `  data           ${place}`,
    ...(key === undefined ? [] : [`  server key     ${key}`]),
  ]
}

function metricsUrl({ config, port, metricsPort }: Readiness): string | undefined {
  if (config.metrics === 'off') return undefined
  const url =
    metricsPort === undefined
      ? urlOf(config.host, port)
      : urlOf(config.metricsHost ?? config.host, metricsPort)
  return `${url}/metrics`
}

/** Where the server key is, never the key itself: what is printed here is collected, kept and read by many. */
function keyText({ serverKeyPlace, isNew }: Readiness['keys'], { kafka }: Config): string | undefined {
  if (serverKeyPlace === undefined) return undefined
  if (kafka !== undefined) return `${serverKeyPlace}; for one that you know, set ${variableOf('serverKey')}`
  return isNew ? `${serverKeyPlace}   (made just now)` : serverKeyPlace
}

/** One that this machine reaches it by. */
export function urlOf(host: string, port: number): string {
  const reachable = host === '0.0.0.0' || host === '::' ? 'localhost' : host
  return `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`
}
