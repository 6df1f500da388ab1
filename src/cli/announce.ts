/** The lines that a server prints on stdout once it is ready: its addresses, where its data is, and never a secret. */

import type { Keys } from '../app/ports/keys.ts'
import { variableOf, type Config } from '../app/config/settings.ts'

export interface Readiness {
  readonly version: string
  readonly config: Config
  readonly place: string
  readonly keys: Pick<Keys, 'serverKeyPlace' | 'isNew'>
  readonly url: string
  /** The address of the metrics, if they have a port of their own. */
  readonly metricsUrl: string | undefined
}

export function announcement(ready: Readiness): string[] {
  const { version, config, place, keys, url, metricsUrl = url } = ready
  const key = keyText(keys, config)
  const metrics = config.metrics === 'off' ? undefined : `${metricsUrl}/metrics`
  return [
    `Rivulet ${version} is ready: ${url}`,
    ...(config.role === 'all' ? [] : [`  role           ${config.role}`]),
    ...(config.role === 'worker' || config.docs === 'off' ? [] : [`  documentation  ${url}/docs`]),
    `  health         ${url}/readyz${metrics === undefined ? '' : `    metrics  ${metrics}`}`,
    `  data           ${place}`,
    ...(key === undefined ? [] : [`  server key     ${key}`]),
  ]
}

/** Where the server key is, never the key itself: the output of servers is collected and read by many. */
function keyText({ serverKeyPlace, isNew }: Readiness['keys'], { kafka }: Config): string | undefined {
  if (serverKeyPlace === undefined) return undefined
  if (kafka !== undefined)
    return `${serverKeyPlace}; to choose the key yourself, set ${variableOf('serverKey')}`
  return isNew ? `${serverKeyPlace}   (made just now)` : serverKeyPlace
}
