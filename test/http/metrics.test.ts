/** What Prometheus reads: counts by status, and names, units and help as `promtool check metrics` wants them. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createWorld, SERVER_KEY, type World } from './world.ts'

let world: World

beforeAll(async () => {
  world = await createWorld({ rateLimit: 'on' })
})
afterAll(() => world.close())

interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

interface Family {
  readonly name: string
  readonly help: string
  readonly type: string
  readonly samples: Sample[]
}

/** Throws for what is not in the text format, with every sample under the name that was announced last. */
function parse(text: string): Family[] {
  const families: Family[] = []
  let help = ['', '']
  for (const line of text.split('\n').filter((one) => one !== '')) {
    const [, word, name, rest] = /^# (HELP|TYPE) (\S+) ?(.*)$/.exec(line) ?? []
    if (word === 'HELP') help = [name, rest]
    else if (word === 'TYPE') {
      expect(help[0], `the help of ${name}`).toBe(name)
      families.push({ name, help: help[1], type: rest, samples: [] })
    } else families.at(-1)?.samples.push(sampleOf(line))
  }
  return families
}

function sampleOf(line: string): Sample {
  const [, name, labels = '', value] = /^([a-zA-Z_]\w*)(?:\{(.*)\})? (\S+)$/.exec(line) ?? []
  expect(name, line).toBeDefined()
  const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, label, text]) => [label, text])
  return { name, labels: Object.fromEntries(pairs), value: Number(value.replace('Inf', 'Infinity')) }
}

const read = async (): Promise<Family[]> => parse((await world.call('GET', '/metrics')).text)

describe('names', () => {
  const SUFFIXES: Record<string, string[]> = {
    histogram: ['_bucket', '_sum', '_count'],
    summary: ['', '_sum', '_count'],
  }
  /** Anything but seconds, bytes and the like. */
  const OTHER_UNITS =
    /_(s|ms|us|ns|sec|b|kb|mb|gb|tb|pb|m|h|d|(nano|micro|milli)seconds|minutes|hours|days|weeks|bits|(kilo|mega|giga|kibi|mebi|gibi)(bytes|bits)|percent)(_|$)/

  it('fit the types of the metrics, and each has a help text', async () => {
    const families = await read()
    expect(new Set(families.map(({ name }) => name)).size).toBe(families.length)
    for (const { name, help, type, samples } of families) {
      expect(help, `the help of ${name}`).not.toBe('')
      expect(name).toMatch(/^[a-z][a-z0-9_]*$/)
      expect(name).not.toMatch(/_(counter|gauge|histogram|summary)(_|$)/)
      expect(name).not.toMatch(OTHER_UNITS)
      expect(name).not.toMatch(/_(bucket|sum|count)$/)
      expect([name, name.endsWith('_total')]).toEqual([name, type === 'counter'])
      for (const sample of samples) {
        expect((SUFFIXES[type] ?? ['']).map((suffix) => name + suffix)).toContain(sample.name)
        if (type !== 'histogram') expect(sample.labels.le).toBeUndefined()
        if (type !== 'summary') expect(sample.labels.quantile).toBeUndefined()
        for (const label of Object.keys(sample.labels)) expect(label).toMatch(/^[a-z][a-z0-9_]*$/)
        if (type === 'counter') expect(sample.value).toBeGreaterThanOrEqual(0)
      }
      const keys = samples.map((sample) => JSON.stringify([sample.name, sample.labels]))
      expect(new Set(keys).size).toBe(keys.length)
    }
  })

  it('of histograms: buckets that add up', async () => {
    await world.call('GET', '/healthz')
    const histograms = (await read()).filter(
      ({ name, type }) => type === 'histogram' && name.startsWith('rivulet'),
    )
    expect(histograms.length).toBeGreaterThan(2)
    for (const { name, samples } of histograms) {
      const seriesOf = ({ labels }: Sample) => JSON.stringify({ ...labels, le: '' })
      for (const series of new Set(samples.map(seriesOf))) {
        const of = samples.filter((sample) => seriesOf(sample) === series)
        const buckets = of.filter((sample) => sample.name.endsWith('_bucket'))
        const counts = buckets.map(({ value }) => value)
        expect(counts).toEqual(counts.toSorted((a, b) => a - b))
        const bounds = buckets.map(({ labels }) => Number(labels.le.replace('Inf', 'Infinity')))
        expect(bounds).toEqual(bounds.toSorted((a, b) => a - b))
        expect(bounds.at(-1)).toBe(Infinity)
        expect(of.find((sample) => sample.name === `${name}_count`)?.value).toBe(counts.at(-1))
      }
    }
  })
})

describe('numbers', () => {
  it('of requests: by route and status', async () => {
    const other = await createWorld()
    const { id, token } = await other.person('counted')
    const get = (path: string, as?: string) => other.call('GET', path, { as })
    await get('/api/v1/posts/5', token)
    await get('/api/v1/posts/x', token)
    await get('/api/v1/posts/x')
    await get('/nothing')
    await get(`/api/v1/accounts/${id}`, SERVER_KEY)
    await other.call('PATCH', '/api/v1/feed', { as: token })
    await get('/healthz')
    const { text } = await get('/metrics')
    const requests = parse(text).find(({ name }) => name === 'rivulet_http_requests_total')?.samples ?? []
    const counts = requests.map(({ labels: { method, route, status }, value }) =>
      [method, route, status, value].join(' '),
    )
    expect(counts.sort()).toEqual(
      [
        'GET /api/v1/accounts/:id 200 1',
        'GET /api/v1/posts/:id 400 1',
        'GET /api/v1/posts/:id 401 1',
        'GET /api/v1/posts/:id 404 1',
        'GET /healthz 200 1',
        'POST /api/v1/accounts 201 1',
        'POST /api/v1/tokens 201 1',
        'other other 404 1',
        'other other 405 1',
      ].sort(),
    )
    await other.close()
  })

  it('of very short durations have buckets of their own', async () => {
    await world.call('GET', '/healthz')
    const durations = (await read()).find(({ name }) => name === 'rivulet_http_request_duration_seconds')
    const bounds = new Set(
      durations?.samples.flatMap(({ labels }) => (labels.le === undefined ? [] : [Number(labels.le)])),
    )
    for (const seconds of [0.0005, 0.001, 0.0025, 0.005, 0.01]) expect(bounds).toContain(seconds)
  })

  it('include the versions of Rivulet and Node', async () => {
    const info = (await read()).find(({ name }) => name === 'rivulet_build_info')
    const labels = { version: '0.0.0-test', node: process.version }
    expect(info).toMatchObject({ type: 'gauge', samples: [{ labels, value: 1 }] })
  })
})

it('leaves no line in the log, and neither do other probes', async () => {
  const sent = { headers: { 'x-request-id': 'probe' } }
  for (const path of ['/healthz', '/readyz', '/metrics'])
    for (const method of ['GET', 'HEAD']) await world.call(method, path, sent)
  await world.call('GET', '/openapi.json', { headers: { 'x-request-id': 'no-probe' } })
  await expect.poll(() => world.logged.some((line) => line.includes('no-probe'))).toBe(true)
  expect(world.logged.filter((line) => line.includes('"probe"'))).toEqual([])
})
