/**
 * The layout as a test: who may import whom, where drivers and adapters may be named, and that clocks,
 * randomness and the environment come in through a port.
 */

import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'

const SRC = path.resolve(import.meta.dirname, '../src')

/** A folder may import those before it, and itself. */
const LAYERS = ['core', 'ports', 'engine', 'http', 'graph', 'feed', 'app', 'cli']
/** `http` is generic machinery beside `engine`: neither knows the other's insides but for requests' idempotency. */
const rank = (layer: string) => LAYERS.indexOf(layer)

const ADAPTERS =
  /ports\/(drivers\/.*|env\/(real|simulated)|(log|store|views)\/(memory|segments|leveldb|kafka|cassandra|redis)\/.*|(ephemeral|bus)\/(memory|redis))\.ts$/
const DRIVERS = ['classic-level', 'redis', '@platformatic/kafka', 'cassandra-driver']
const AMBIENT =
  /\b(Date\.now|new Date\(\)|Math\.random|setTimeout|setInterval|setImmediate|process\.env|process\.hrtime|performance\.now)\b/

interface Source {
  readonly name: string
  readonly layer: string
  readonly text: string
  readonly imports: readonly string[]
}

const sources: Source[] = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => {
    const text = readFileSync(path.join(SRC, name), 'utf8')
    const specifiers = [...text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map((match) => match[1])
    const imports = specifiers.map((specifier) =>
      specifier.startsWith('.') ? path.posix.join(path.posix.dirname(name), specifier) : specifier,
    )
    return { name, layer: name.includes('/') ? name.split('/')[0] : 'app', text, imports }
  })

const violations = (broken: (source: Source, imported: string) => boolean): string[] =>
  sources.flatMap((source) =>
    source.imports
      .filter((imported) => broken(source, imported))
      .map((imported) => `${source.name} imports ${imported}`),
  )

test('every folder of src has its place in the layers', () => {
  expect([...new Set(sources.map(({ layer }) => layer))].filter((layer) => rank(layer) < 0)).toEqual([])
})

test('imports go down the layers', () => {
  const up = violations(({ name, layer }, imported) => {
    if (!imported.endsWith('.ts') || name.startsWith('index')) return false
    const other = imported.includes('/') ? imported.split('/')[0] : 'app'
    return rank(other) > rank(layer)
  })
  expect(up).toEqual([])
})

test('no circle of imports, types included', () => {
  const byName = new Map(sources.map((source) => [source.name, source]))
  const done = new Set<string>()
  const circles: string[] = []
  function visit(name: string, path: readonly string[]): void {
    const at = path.indexOf(name)
    if (at >= 0) circles.push([...path.slice(at), name].join(' → '))
    if (at >= 0 || done.has(name)) return
    for (const imported of byName.get(name)?.imports ?? []) visit(imported, [...path, name])
    done.add(name)
  }
  for (const { name } of sources) visit(name, [])
  expect(circles).toEqual([])
})

test('a domain is reached through its index only', () => {
  const inside = violations(({ layer, name }, imported) => {
    const [other] = imported.split('/')
    const isDomain = other === 'graph' || other === 'feed'
    return isDomain && other !== layer && !name.startsWith('app/') && !imported.endsWith('/index.ts')
  })
  expect(inside).toEqual([])
})

test('only the composition names adapters', () => {
  const named = violations(
    ({ layer }, imported) => ADAPTERS.test(imported) && !['ports', 'app'].includes(layer),
  )
  expect(named).toEqual([])
})

test('only adapters import drivers', () => {
  const named = violations(({ name }, imported) => DRIVERS.includes(imported) && !name.startsWith('ports/'))
  expect(named).toEqual([])
})

test('only conformance suites know a test runner', () => {
  const named = violations(
    ({ name }, imported) => ['vitest', 'fast-check'].includes(imported) && !name.includes('/conformance'),
  )
  expect(named).toEqual([])
})

test('the index of a port is for programs outside: it brings every adapter with it', () => {
  expect(violations((_source, imported) => /^ports\/\w+\/index\.ts$/.test(imported))).toEqual([])
})

test('time, chance and the environment come through a port', () => {
  // The watchdog is the text of another process.
  const allowed = (name: string) =>
    /^ports\/env\/|^app\/config\/config\.ts$|^cli\/hard-end\.ts$/.test(name) || name.includes('conformance')
  const ambient = sources
    .filter(({ name }) => !allowed(name))
    .flatMap(({ name, text }) =>
      text
        .split('\n')
        .map((line, i) => ({ line, at: `${name}:${i + 1}` }))
        .filter(({ line }) => !/^\s*(\/\/|\*|\/\*)/.test(line) && AMBIENT.test(line))
        .map(({ line, at }) => `${at} ${line.trim()}`),
    )
  expect(ambient).toEqual([])
})

test('no file is longer than a reader can hold', () => {
  const long = sources.filter(({ text }) => text.split('\n').length > 400).map(({ name }) => name)
  expect(long).toEqual([])
})
