/** The settings and flags of `rivulet serve`. */

import { DURABLE_SETTINGS, REDIS_SETTINGS, type SettingKey } from '../app/config/settings.ts'

export const SERVE_SETTINGS: readonly SettingKey[] = [
  ...DURABLE_SETTINGS,
  ...REDIS_SETTINGS,
  'role',
  'port',
  'host',
  'rateLimit',
  'readsPerMinute',
  'writesPerMinute',
  'logLevel',
  'timelinesMib',
  'postCacheMib',
  'logRetentionHours',
  'tokenTtlHours',
  'corsOrigins',
  'metrics',
  'metricsPort',
  'metricsHost',
  'docs',
  'config',
]

export interface ServeFlags extends Partial<Record<SettingKey, string>> {
  readonly demo?: true
}
