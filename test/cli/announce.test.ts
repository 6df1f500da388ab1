/** The announcement of a server that is ready: only addresses that exist, and no secret. */

import { expect, test } from 'vitest'
import { urlOf } from '../../src/app/server/compose.ts'
import { readConfig } from '../../src/app/config/config.ts'
import { announcement, type Readiness } from '../../src/cli/announce.ts'

const keys = { serverKeyPlace: '/data/server.key', isNew: true }

function said(environment: Record<string, string>, more: Partial<Readiness> = {}): string {
  const { config } = readConfig({ environment })
  const lines = announcement({
    ...{ version: '1.2.3', place: '/data', url: urlOf(config.host, 8_080), metricsUrl: undefined },
    ...{ config, keys },
    ...more,
  })
  return lines.join('\n')
}

test('the first line names the address', () => {
  for (const [host, url] of [
    ['127.0.0.1', 'http://127.0.0.1:8080'],
    ['0.0.0.0', 'http://localhost:8080'],
    ['::1', 'http://[::1]:8080'],
  ])
    expect(said({ RIVULET_HOST: host }).split('\n')[0]).toBe(`Rivulet 1.2.3 is ready: ${url}`)
})

test('addresses that are not served are not named', () => {
  expect(said({})).toMatch(/documentation .*\/docs\n.*metrics {2}http:\/\/127.0.0.1:8080\/metrics/)
  expect(said({ RIVULET_DOCS: 'off' })).not.toContain('/docs')
  expect(said({ RIVULET_METRICS: 'off' })).not.toContain('metrics')
  expect(said({}, { metricsUrl: urlOf('::1', 9_090) })).toContain('metrics  http://[::1]:9090/metrics')
})

test('where the server key is, in a folder and on engines', () => {
  expect(said({})).toMatch(/server key {5}\/data\/server\.key {3}\(made just now\)$/)
  expect(said({}, { keys: { ...keys, isNew: false } })).toMatch(/server key {5}\/data\/server\.key$/)
  expect(said({}, { keys: { ...keys, serverKeyPlace: undefined } })).not.toContain('server key')
  const engines = { RIVULET_KAFKA: '10.0.0.1', RIVULET_CASSANDRA: '10.0.0.2', RIVULET_REDIS: '10.0.0.3' }
  const onEngines = { keys: { serverKeyPlace: 'keyspace rivulet, note server.key', isNew: true } }
  expect(said(engines, onEngines)).toMatch(/server key .*note server\.key; .*RIVULET_SERVER_KEY$/)
})
