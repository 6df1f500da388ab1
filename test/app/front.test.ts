/** The start page, and who may see the metrics and the documents. */

import { createHash } from 'node:crypto'
import { afterEach, expect, test } from 'vitest'
import type { ApiOptions } from '../../src/app/server/api.ts'
import type { ShownPost } from '../../src/app/demo/view.ts'
import { createWorld, SERVER_KEY, type World } from '../http/world.ts'

let world: World | undefined
afterEach(async () => {
  await world?.close()
  world = undefined
})
const open = async (options: Partial<ApiOptions> = {}): Promise<World> => (world = await createWorld(options))

const asJson = { headers: { accept: 'application/json' } }

test('browsers get a page that loads no other files', async () => {
  const { call } = await open({ role: 'api' })
  const { status, headers, text } = await call('GET', '/')
  expect([status, headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8'])
  for (const piece of ['0.0.0-test', 'role api', 'name="viewport"', 'prefers-color-scheme: dark'])
    expect(text).toContain(piece)
  for (const path of ['docs', 'openapi.json', 'healthz', 'readyz', 'metrics'])
    expect(text).toContain(`href="${path}"`)
  expect(text.match(/<li>[^<]*:\s*<pre>curl /g)).toHaveLength(3)
  expect(text).not.toMatch(/<script|<link rel="stylesheet"|\son\w+=|\sstyle=/)
  const foreign = [...text.matchAll(/(?:src|href)="([^"]+)"/g)].filter(([, to]) => /^(https?:)?\/\//.test(to))
  expect(foreign).toEqual([])
})

test('its policy allows its own style, and no script', async () => {
  const { headers, text } = await (await open()).call('GET', '/')
  const style = /<style>(.*)<\/style>/s.exec(text)?.[1] ?? ''
  const hash = createHash('sha256').update(style).digest('base64')
  const policy = headers.get('content-security-policy') ?? ''
  expect(policy.split('; ')).toEqual([
    "default-src 'none'",
    `style-src 'sha256-${hash}'`,
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ])
})

test('programs that ask for JSON get the same links, and each of them leads somewhere', async () => {
  const { call } = await open()
  const { json, headers } = await call('GET', '/', asJson)
  expect(json).toMatchObject({ name: 'Rivulet', version: '0.0.0-test', role: 'all' })
  expect(headers.get('vary')).toContain('accept')
  const links = Object.values(json.links as Record<string, string>)
  expect(links).toHaveLength(5)
  for (const path of links) expect((await call('GET', path)).status).toBe(200)
})

test.each([
  ['*/*', 'text/html'],
  ['text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', 'text/html'],
  ['application/json', 'application/json'],
  ['application/json, text/plain, */*', 'application/json'],
  ['text/html;q=0.5, application/json;q=0.6', 'application/json'],
  ['application/json;q=0.5, text/html', 'text/html'],
  ['application/json;q=0', 'text/html'],
  ['application/json;q=nonsense, ,;;=', 'text/html'],
])('a client that accepts %s gets %s', async (accept, type) => {
  const { headers } = await (await open()).call('GET', '/', { headers: { accept } })
  expect(headers.get('content-type')).toContain(type)
})

test('HEAD has the same headers and no body, other methods are refused', async () => {
  const { call } = await open()
  const [head, get] = [await call('HEAD', '/'), await call('GET', '/')]
  expect([head.status, head.text]).toEqual([200, ''])
  for (const name of ['content-type', 'content-length', 'content-security-policy'])
    expect(head.headers.get(name)).toBe(get.headers.get(name))
  expect(await call('POST', '/')).toMatchObject({ status: 405, json: { code: 'method_not_allowed' } })
})

test('commands name the address of the request, and hold nothing from it that a shell would run', async () => {
  const { api } = await open()
  const page = async (headers: Record<string, string>) => (await api.app.inject({ url: '/', headers })).body
  expect(await page({ host: 'rivulet.example:81' })).toContain('http://rivulet.example:81/api/v1/')
  expect(await page({ host: '[::1]:8080' })).toContain('http://[::1]:8080/api/v1/')
  expect(await page({ host: 'r.example', 'x-forwarded-proto': 'https' })).toContain('https://r.example/api/')
  for (const host of ['$(reboot)', 'x`id`', '<b>', 'a;b', '"', "a'b", 'a b', 'a/b', '-'.repeat(9_000)])
    expect(await page({ host })).toMatch(/http:\/\/localhost:\w+\/api\/v1\//)
})

test('a worker has no commands to try', async () => {
  const { text } = await (await open({ isApi: false, role: 'worker' })).call('GET', '/')
  expect(text).toContain('role worker')
  expect(text).not.toContain('curl')
})

const EVIL = `<script>alert(1)</script>"'&`
const author = { id: '1', handle: 'ev<il', external_id: null, display_name: EVIL }
const shown = {
  id: '1',
  author,
  content: EVIL,
  created_at: '2026-01-01T12:34:56.000Z',
  reply_to: '2',
} as unknown as ShownPost

test('the demo world is shown where that is asked for, with everything escaped', async () => {
  const posts = [shown, { ...shown, original: { ...shown, content: null } }] as ShownPost[]
  const { call } = await open({ demo: async () => ({ token: 'the-token', posts }) })
  const { text } = await call('GET', '/')
  expect(text).toContain('export TOKEN=the-token')
  expect(text).not.toContain('<script')
  expect(text).not.toContain('ev<il')
  expect(text).toContain('&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;')
  expect(text).toContain('2026-01-01 12:34 UTC')
  expect((await call('GET', '/', asJson)).text).not.toContain('the-token')
})

test('the page is served without a demo world, and when its feed cannot be read', async () => {
  const absent = await (await open({ demo: async () => undefined })).call('GET', '/')
  expect([absent.status, absent.text.includes('@guest')]).toEqual([200, false])
  await world?.close()
  const unread = await open({ demo: async () => ({ token: 't', posts: undefined }) })
  expect((await unread.call('GET', '/')).text).toContain('cannot be read')
})

const basic = (user: string, password: string) => ({
  headers: { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` },
})

test.each([
  ['metricsFor', ['/metrics']],
  [
    'docsFor',
    ['/docs', '/docs/', '/docs/static/swagger-ui.css', '/docs/json', '/docs/yaml', '/openapi.json'],
  ],
] as const)('%s key: with the server key only', async (option, paths) => {
  const { call, person } = await open({ [option]: 'key' })
  const { token } = await person('ada')
  for (const path of paths) {
    for (const sending of [{}, { as: token }, { as: 'x'.repeat(40) }, basic('any', 'wrong'), basic('', '')]) {
      const refused = await call('GET', path, sending)
      expect(refused).toMatchObject({ status: 401, json: { code: 'unauthorized' } })
      expect(refused.headers.get('www-authenticate')).toMatch(/Basic .*Bearer /)
      expect((await call('HEAD', path, sending)).status).toBe(401)
    }
    for (const sending of [{ as: SERVER_KEY }, basic('any', SERVER_KEY), basic('', SERVER_KEY)])
      expect((await call('GET', path, sending)).status).toBe(200)
  }
  expect((await call('GET', '/')).text).toContain('with the server key')
})

test.each([
  ['metricsFor', ['/metrics'], ['metrics']],
  ['docsFor', ['/docs', '/docs/', '/docs/json', '/openapi.json'], ['docs', 'openapi']],
] as const)('%s off: they are not there', async (option, paths, links) => {
  const { call } = await open({ [option]: 'off' })
  for (const path of paths) expect((await call('GET', path, { as: SERVER_KEY })).status).toBe(404)
  const index = (await call('GET', '/', asJson)).json.links
  for (const link of links) expect(index).not.toHaveProperty(link)
  const { text } = await call('GET', '/')
  for (const path of paths) expect(text).not.toContain(`href="${path.slice(1)}"`)
})

test('with `metricsApart`, metrics are on their own server only, behind the key if wanted', async () => {
  const { api, call } = await open({ metricsApart: true, metricsFor: 'key' })
  expect((await call('GET', '/metrics', { as: SERVER_KEY })).status).toBe(404)
  expect((await call('GET', '/', asJson)).json.links).not.toHaveProperty('metrics')
  const { metricsApp } = api
  const ask = (url: string, as?: string) =>
    metricsApp?.inject({ url, headers: as === undefined ? {} : { authorization: `Bearer ${as}` } })
  expect((await ask('/metrics'))?.statusCode).toBe(401)
  const numbers = await ask('/metrics', SERVER_KEY)
  expect(numbers?.statusCode).toBe(200)
  expect(numbers?.headers['content-type']).toMatch(/^text\/plain; version=/)
  // Requests to that server are not counted among those of the API.
  expect(/route="other",status="4\w\w"\} (\d+)/.exec(numbers?.body ?? '')?.[1]).toBe('1')
  for (const path of ['/', '/api/v1/feed', '/docs', '/healthz'])
    expect((await ask(path, SERVER_KEY))?.statusCode).toBe(404)
  await metricsApp?.close()
})

test('the page of the document has Rivulet’s title, logo and first steps', async () => {
  const { call } = await open()
  const page = (await call('GET', '/docs/')).text
  expect(page).toContain('<title>Rivulet API</title>')
  expect(page).toContain('theme/logo.svg')
  const script = (await call('GET', '/docs/static/swagger-initializer.js')).text
  const logo = /data:image\/svg\+xml;base64,([\w+/=]+)/.exec(script)?.[1] ?? ''
  expect(Buffer.from(logo, 'base64').toString()).toContain('aria-label="Rivulet"')
  const { info } = (await call('GET', '/openapi.json')).json
  for (const piece of ['server.key', '/accounts/ext:ada', '/posts', '/feed', '/tokens'])
    expect(info.description).toContain(piece)
})
