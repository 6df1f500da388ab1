/** The commands as processes: what they print, how they end, and what they refuse. */

import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { request, type ClientRequest, type IncomingMessage } from 'node:http'
import { createServer } from 'node:net'
import { spawnSync } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { pause, run, serve, SERVER_KEY, start } from './cli.ts'

const MUSAE = fileURLToPath(new URL('../../../shared/data/musae-github/edges.csv', import.meta.url))

let root: string
beforeAll(() => void (root = mkdtempSync(join(tmpdir(), 'rivulet-cli-'))))
afterAll(() => rmSync(root, { recursive: true, force: true }))
let folders = 0
const newFolder = () => join(root, `data-${folders++}`)

test.each<[string, string[], Record<string, string>, number, RegExp]>([
  [
    'no such command',
    ['frob'],
    {},
    2,
    /^rivulet: config_invalid: unknown command 'frob'; see rivulet --help\n$/,
  ],
  ['no such flag', ['serve', '--prot', '1'], {}, 2, /unknown option '--prot' \(Did you mean --port\?\); see/],
  [
    'a wrong flag',
    ['serve', '--port', 'x'],
    {},
    2,
    /^rivulet: config_invalid: the setting port .* has "x", from --port; allowed is .*\n$/,
  ],
  [
    'a wrong variable',
    ['doctor'],
    { RIVULET_POTR: '1' },
    2,
    /^rivulet: config_invalid: .*RIVULET_POTR; did you mean RIVULET_PORT\?\n$/,
  ],
  [
    'a secret for a flag that does not exist',
    ['serve', '--server-key=hunter2hunter2'],
    {},
    2,
    /^rivulet: config_invalid: unknown option '--server-key'[^=]*; see rivulet --help\n$/,
  ],
  ['nothing to import', ['import'], {}, 2, /name a file with --edges or --posts\n$/],
  [
    'a file that does not exist',
    ['import', '--edges', '/no/such'],
    {},
    1,
    /^rivulet: import_invalid: \/no\/such cannot be read .*\n$/,
  ],
  [
    'a folder that does not exist',
    ['doctor', '--data', '/no/such'],
    {},
    2,
    /^rivulet: config_invalid: \/no\/such is not a data folder of Rivulet; .*\n$/,
  ],
])('refused: %s', async (_name, args, settings, code, stderr) => {
  const ended = await run(args, settings)
  expect(ended).toMatchObject({ code, stdout: '' })
  expect(ended.stderr).toMatch(stderr)
})

test('a folder of a newer format is refused in one line; with debug, a stack follows', async () => {
  const data = newFolder()
  mkdirSync(data)
  writeFileSync(join(data, 'format.json'), '{"format":99}')
  const quiet = await run(['serve', '--data', data])
  expect(quiet).toMatchObject({ code: 1, stdout: '' })
  expect(quiet.stderr).toMatch(
    /^rivulet: data_newer_format: \S+ has format 99, .* install a newer version\n$/,
  )
  const loud = await run(['serve', '--data', data], { RIVULET_LOG_LEVEL: 'debug' })
  expect(loud.stderr).toMatch(/\n +at /)
})

test('--help and --version', async () => {
  const [help, version] = await Promise.all([run(['--help']), run(['--version'])])
  expect(help).toMatchObject({ code: 0, stderr: '' })
  for (const word of ['serve', 'import', 'doctor', 'bench', 'RIVULET_PORT'])
    expect(help.stdout).toContain(word)
  expect(version).toMatchObject({ code: 0, stdout: '0.1.0\n' })
})

test('serve says when it is ready, owns its folder, and ends cleanly', async () => {
  const data = newFolder()
  const server = await serve(data)
  expect((await fetch(`${server.url}/readyz`)).status).toBe(200)
  const second = await run(['serve', '--data', data])
  expect(second.code).toBe(1)
  expect(second.stderr).toMatch(
    new RegExp(
      `^rivulet: data_locked: \\S+ is in use by process ${server.child.pid}; stop it or choose another data folder\n$`,
    ),
  )
  const ended = await server.stop()
  expect(ended).toMatchObject({ code: 0, signal: null, stderr: '' })
  expect(existsSync(join(data, 'owner.json'))).toBe(false)
})

/** Opens a write whose head is sent and whose body is not. */
async function begin(url: string): Promise<ClientRequest> {
  const sent = request(`${url}/api/v1/accounts`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${SERVER_KEY}`,
      'content-type': 'application/json',
      'transfer-encoding': 'chunked',
      expect: '100-continue',
    },
  })
  sent.flushHeaders()
  await once(sent, 'continue')
  return sent
}

test('a request under way is answered before the end, a second signal does not wait', async () => {
  const server = await serve(newFolder())
  const slow = await begin(server.url)
  server.child.kill('SIGINT')
  slow.write('{"handle":')
  await pause(200)
  slow.end('"slow"}')
  const [answer] = (await once(slow, 'response')) as [IncomingMessage]
  answer.resume()
  expect(answer.statusCode).toBe(201)
  expect(await server.ended).toMatchObject({ code: 0 })

  const stubborn = await serve(newFolder())
  const never = await begin(stubborn.url)
  never.on('error', () => undefined)
  stubborn.child.kill('SIGTERM')
  // Two signals that come together count as one.
  await pause(700)
  stubborn.child.kill('SIGTERM')
  // A clean end, which waits for the request, would be 0.
  expect(await stubborn.ended).toMatchObject({ code: 1 })
})

test('a port in use is named', async () => {
  const holder = createServer()
  onTestFinished(() => void holder.close())
  const port = await new Promise<number>((resolve) =>
    holder.listen(0, '127.0.0.1', () => resolve((holder.address() as { port: number }).port)),
  )
  const ended = await run(['serve', '--data', newFolder(), '--port', String(port)])
  expect(ended).toMatchObject({ code: 1, stdout: '' })
  expect(ended.stderr).toContain(
    `rivulet: unavailable: 127.0.0.1:${port} is in use by another program; choose another with --port or --host (0 takes a free port)\n`,
  )
})

test('the server key is made once, kept for the owner, and never printed or logged', async () => {
  const data = newFolder()
  for (const isFirst of [true, false]) {
    const started = start(['serve', '--data', data, '--port', '0'], { RIVULET_LOG_LEVEL: 'debug' })
    const said = await started.says('server key')
    expect(said.includes('made just now')).toBe(isFirst)
    const path = join(data, 'server.key')
    expect(said).toContain(path)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    const key = readFileSync(path, 'utf8').trim()
    const url = /(http:\/\/[\d.]+:\d+)/.exec(said)?.[1] ?? ''
    const headers = { authorization: `Bearer ${key}` }
    expect((await fetch(`${url}/api/v1/admin/policy`, { headers })).status).toBe(200)
    expect((await fetch(`${url}/api/v1/feed`, { headers })).status).toBe(400)
    started.child.kill('SIGTERM')
    const ended = await started.ended
    expect(ended.code).toBe(0)
    expect(ended.stderr).toContain('/api/v1/feed')
    for (const secret of [key, readFileSync(join(data, 'secret.key'), 'utf8').trim()])
      expect(ended.stdout + ended.stderr).not.toContain(secret)
  }
})

/** Runs all commands of a text in one shell, unchanged. @returns the answer of each curl */
function typed(said: string): Record<string, unknown>[] {
  const lines = said.split('\n').filter((line) => line.startsWith('  curl ') || line.startsWith('  export '))
  const script = lines
    .map((line) => (line.startsWith('  curl ') ? `${line} || exit 1\necho` : line))
    .join('\n')
  const { status, stdout } = spawnSync('bash', ['-c', script], { encoding: 'utf8' })
  expect(status).toBe(0)
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
}

test('the demo world is loaded once; its printed commands work unchanged, and show on the start page', async () => {
  const data = newFolder()
  let posts = 0
  for (const isFirst of [true, false]) {
    const server = await serve(data, ['--demo'])
    const said = await server.says('and read again:')
    // The token is printed once, however many commands use it.
    expect(said.split('\n').filter((line) => line.includes('eyJ'))).toHaveLength(1)
    const [before, posted, followed, after, ...rest] = typed(said)
    expect(rest).toEqual([])
    expect(before).toMatchObject({ complete: true, has_more: true, failed_sources: [] })
    expect(before.posts).toHaveLength(5)
    expect(posted).toMatchObject({ content: 'Hello from the terminal!', author: { handle: 'guest' } })
    expect(followed).toMatchObject({ following: true })
    const handles = (page: Record<string, unknown>) =>
      (page.posts as { author: { handle: string } }[]).map(({ author }) => author.handle)
    if (isFirst) expect(handles(before)).not.toContain('nova')
    expect(handles(after)).toContain('nova')
    expect(handles(after)[0]).toBe('guest')
    const page = await (await fetch(server.url)).text()
    for (const piece of ['export TOKEN=eyJ', 'Hello from the terminal!', 'Nova Observatory'])
      expect(page).toContain(piece)
    const star = await fetch(`${server.url}/api/v1/accounts/ext:nova`, {
      headers: { authorization: `Bearer ${SERVER_KEY}` },
    })
    const account = (await star.json()) as { followers_count: number; posts_count: number }
    expect(account.followers_count).toBeGreaterThan(200)
    if (isFirst) posts = account.posts_count
    expect(account.posts_count).toBe(posts)
    const { code, stderr } = await server.stop()
    // A notice about rebuilt timelines is allowed.
    expect([code, stderr]).toEqual([0, expect.not.stringMatching(/"level":[56]0|secret\.key/)])
  }
  const quiet = await serve(data)
  expect(await (await fetch(quiet.url)).text()).not.toMatch(/eyJ|Hello from the terminal|@guest/)
  await quiet.stop()
  const doctor = await run(['doctor', '--data', data, '--readers', '5'])
  expect(doctor.stdout).toMatch(/ok +feeds +5 readers, \d+ posts\nall is well/)
  expect(doctor.code).toBe(0)
})

test('a folder with other data gets no demo world, and an account named guest in it is not shown', async () => {
  const data = newFolder()
  const headers = { authorization: `Bearer ${SERVER_KEY}`, 'content-type': 'application/json' }
  const first = await serve(data)
  for (const name of ['guest', 'nova']) {
    const body = JSON.stringify({ handle: name })
    const url = `${first.url}/api/v1/accounts/ext:${name}`
    expect((await fetch(url, { method: 'PUT', headers, body })).status).toBe(201)
  }
  await first.stop()
  const server = await serve(data, ['--demo'])
  expect(await server.says('This folder held data before')).not.toContain('TOKEN')
  expect(await (await fetch(server.url)).text()).not.toMatch(/eyJ|@guest/)
  const nova = await (await fetch(`${server.url}/api/v1/accounts/ext:nova`, { headers })).json()
  expect(nova).toMatchObject({ display_name: null, followers_count: 0 })
  const policy = await (await fetch(`${server.url}/api/v1/admin/policy`, { headers })).json()
  expect(policy).not.toMatchObject({ push_threshold_followers: 200 })
  await server.stop()
})

test('the commands on the start page work, with the server key of the folder', async () => {
  const data = newFolder()
  const started = start(['serve', '--data', data, '--port', '0'])
  const url = /is ready: (\S+)/.exec(await started.says('server key'))?.[1] ?? ''
  const page = await (await fetch(url)).text()
  const [key, ...commands] = [...page.matchAll(/<pre>([^<]+)<\/pre>/g)].map(([, text]) =>
    text.replaceAll('&quot;', '"').replaceAll('&#39;', "'"),
  )
  expect(key).toBe('export KEY=…')
  const own = `  export KEY=$(cat ${join(data, 'server.key')})`
  for (let round = 0; round < 2; round++) {
    const [account, post, feed] = typed([own, ...commands.map((line) => `  ${line}`)].join('\n'))
    expect([account, post]).toMatchObject([{ external_id: 'ada' }, { content: 'Hello' }])
    expect(feed.posts).toHaveLength(round + 1)
  }
  started.child.kill('SIGTERM')
  await started.ended
})

test('a line of the log has the address and the role of the server', async () => {
  const data = newFolder()
  const args = ['serve', '--data', data, '--port', '0', '--metrics-port', '0']
  const started = start(args, { RIVULET_LOG_LEVEL: 'info' })
  const said = await started.says('  data  ')
  started.child.kill('SIGTERM')
  const { stderr } = await started.ended
  const lines = stderr
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
  expect(lines.filter(({ msg }) => msg === 'listening')).toEqual([
    {
      level: 30,
      time: expect.any(String),
      host: '127.0.0.1',
      port: Number(/is ready: http:\/\/127\.0\.0\.1:(\d+)$/m.exec(said)?.[1]),
      metrics_host: '127.0.0.1',
      metrics_port: Number(/metrics {2}http:\/\/127\.0\.0\.1:(\d+)\/metrics$/m.exec(said)?.[1]),
      version: '0.1.0',
      role: 'all',
      place: data,
      msg: 'listening',
    },
  ])
})

test('metrics have their own port, the document is for the key alone, and a port in use is named', async () => {
  const args = ['--metrics-port', '0', '--metrics', 'key', '--docs', 'key']
  const server = await serve(newFolder(), args)
  const metricsUrl = /metrics {2}(\S+)/.exec(await server.says('metrics  '))?.[1] ?? ''
  const status = async (url: string, as?: string) => {
    const headers: Record<string, string> = as === undefined ? {} : { authorization: `Bearer ${as}` }
    return (await fetch(url, { headers })).status
  }
  expect(new URL(metricsUrl).port).not.toBe(new URL(server.url).port)
  expect([await status(metricsUrl), await status(metricsUrl, SERVER_KEY)]).toEqual([401, 200])
  expect(await status(`${server.url}/metrics`, SERVER_KEY)).toBe(404)
  for (const path of ['/docs', '/openapi.json'])
    expect([await status(server.url + path), await status(server.url + path, SERVER_KEY)]).toEqual([401, 200])
  const { port } = new URL(metricsUrl)
  const second = await run(['serve', '--data', newFolder(), '--port', '0', '--metrics-port', port])
  expect(second).toMatchObject({ code: 1, stdout: '' })
  expect(second.stderr).toContain(
    `127.0.0.1:${port} is in use by another program; choose another with --metrics-port`,
  )
  expect(await server.stop()).toMatchObject({ code: 0, stderr: '' })
})

test('import prints a summary; musae-github is imported fast', async (context) => {
  if (!existsSync(MUSAE)) return context.skip('../shared/data/musae-github is not here')
  const ended = await run(['import', '--edges', MUSAE, '--mutual', '--data', newFolder()])
  expect(ended.code).toBe(0)
  expect(ended.stdout).toMatch(/^accounts +37,700 new, 0 known\nfollows +578,006 new, 0 known\n/)
  // Progress follows on a slow machine.
  expect(ended.stderr).toMatch(
    /^importing into .*\nedges\.csv:1: taken for a header: follower is "id_1", followee "id_2"; --no-header makes it an edge\n/,
  )
})

test('import ends with 0 if all rows were imported, 3 if some were left out, 1 if none was valid, 2 for wrong usage', async () => {
  const files = { clean: 'ada,bob\n\nada,bob\n', mixed: 'ada,bob\n#\ncyd\n', none: 'ada\nbob\n', empty: '' }
  const pathOf = (name: string) => join(root, `${name}.csv`)
  for (const [name, text] of Object.entries(files)) writeFileSync(pathOf(name), text)
  const ends = async (name: string, ...flags: string[]) =>
    run(['import', '--data', newFolder(), '--edges', pathOf(name), ...flags])
  const [clean, mixed, strict, none, empty] = await Promise.all([
    ends('clean', '--strict'),
    ends('mixed', '--comment', '#'),
    ends('mixed', '--comment', '#', '--strict'),
    ends('none'),
    ends('empty'),
  ])
  expect(clean.code).toBe(0)
  expect(clean.stdout).toMatch(/^left out +0 rows\nno matter +/m)
  expect(mixed.code).toBe(3)
  expect(mixed.stdout).toMatch(/^follows +1 new, 0 known$/m)
  expect(mixed.stdout).toMatch(/^left out +1 row: 1 × wrong number of columns$/m)
  expect(mixed.stderr).toMatch(/^mixed\.csv:3: wrong number of columns /m)
  for (const [ended, told] of [
    [strict, /mixed\.csv:3: /],
    [none, /none\.csv:1: /],
    [empty, /empty\.csv holds /],
  ] as const) {
    expect(ended).toMatchObject({ code: 1, stdout: '' })
    expect(ended.stderr).toMatch(/^rivulet: import_invalid: /m)
    expect(ended.stderr).toMatch(told)
  }
  const slips = await Promise.all([
    ends('clean', '--columns', 'ada,bob'),
    ends('clean', '--columns', 'follower=ada,followee=ada'),
    ends('clean', '--delimiter', 'ab'),
    ends('clean', '--delimiter', '"'),
    ends('clean', '--comment', ''),
    run(['import', '--data', newFolder(), '--posts', pathOf('clean'), '--mutual']),
  ])
  for (const slip of slips) expect(slip).toMatchObject({ code: 2, stdout: '' })
})

test('an imported folder whose store is gone is refused, not served empty', async () => {
  const folder = newFolder()
  const edges = join(root, 'few-edges.csv')
  writeFileSync(edges, 'ada,bob\nbob,cyd\n')
  expect((await run(['import', '--data', folder, '--edges', edges])).code).toBe(0)
  expect((await run(['doctor', '--data', folder])).code).toBe(0)
  rmSync(join(folder, 'store'), { recursive: true })
  const examined = await run(['doctor', '--data', folder])
  expect([examined.code, examined.stdout]).toEqual([1, expect.stringContaining('rows were imported')])
  const served = await run(['serve', '--data', folder, '--port', '0'])
  expect([served.code, served.stderr]).toEqual([
    1,
    expect.stringMatching(/data_corrupt: .*rows were imported/),
  ])
})
