/** The package, packed and installed: what is in it, its types, the command, the library, and an adapter of one's own. */

import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createRealEnv } from '../../src/ports/env/real.ts'
import { sleep } from '../../src/ports/env/sleep.ts'
import { install, launch, ROOT, run, type Installed } from './installed.ts'

let installed: Installed
beforeAll(async () => void (installed = await install()), 180_000)
afterAll(() => {
  // Servers that a failed test has left behind.
  for (const data of readdirSync(installed.project))
    if (existsSync(ownerFile(data))) process.kill(ownerOf(data), 'SIGKILL')
  rmSync(installed.root, { recursive: true, force: true })
})

const node = process.execPath
const env = createRealEnv()
const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  exports: Record<string, string | { types: string; default: string }>
}
const filesOf = (folder: string) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name).slice(folder.length + 1))

test('it holds what users need: the built modules with their types, and the documents', () => {
  const files = filesOf(installed.folder)
  const needed =
    /^(bin\/rivulet\.js|dist\/.+\.(js|d\.ts)|examples\/.+\.(mjs|ts)|package\.json|compose.*\.yaml|LICENSE|.+\.md)$/
  expect(files.filter((name) => !needed.test(name))).toEqual([])
  for (const name of ['LICENSE', 'README.md', 'dist/cli/main.js']) expect(files).toContain(name)
})

test('its documents link to what is in it', () => {
  const dead = filesOf(installed.folder)
    .filter((name) => name.endsWith('.md'))
    .flatMap((name) => {
      const text = readFileSync(join(installed.folder, name), 'utf8')
      const links = [...text.matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)].map((match) => match[1])
      return links.filter((link) => !existsSync(join(installed.folder, dirname(name), link)))
    })
  expect(dead).toEqual([])
})

test('what it exports is there, and nothing is said against how', async () => {
  const { messages, pkg } = await publint({ pkgDir: installed.folder, pack: false, strict: true })
  expect(messages.map((message) => formatMessage(message, pkg))).toEqual([])
})

test('every import resolves, but for drivers that are not installed', async () => {
  const specifiers = Object.keys(manifest.exports).map((subpath) => subpath.replace('.', 'rivulet'))
  const optional = /\/(kafka|cassandra|redis|conformance)$/
  const modules = specifiers.filter((name) => !optional.test(name) && !name.endsWith('.json'))
  const script = `for (const name of ${JSON.stringify(modules)}) console.log(name, Object.keys(await import(name)).length > 0)`
  const ended = await run(node, ['--input-type=module', '--eval', script], installed.project)
  expect(ended).toMatchObject({ code: 0, stderr: '' })
  expect(ended.stdout.trim().split('\n')).toEqual(modules.map((name) => `${name} true`))
})

const TYPED = `
import { openRivulet, RivuletError, type FeedPage, type OpenRivulet } from 'rivulet'
import { createMemoryLog, type Log } from 'rivulet/ports/log'
import { logConformance } from 'rivulet/ports/log/conformance'
import { createMemoryStore, type Store } from 'rivulet/ports/store'
import { storeConformance } from 'rivulet/ports/store/conformance'
import { createMemoryViews, type Views } from 'rivulet/ports/views'
import { viewsConformance } from 'rivulet/ports/views/conformance'
import { createMemoryEphemeral, type Ephemeral } from 'rivulet/ports/ephemeral'
import { ephemeralConformance } from 'rivulet/ports/ephemeral/conformance'
import { createMemoryBus, type Bus } from 'rivulet/ports/bus'
import { busConformance } from 'rivulet/ports/bus/conformance'
import { createRealEnv } from 'rivulet/ports/env'

const env = createRealEnv()
const log: Log = createMemoryLog({ env, partitions: 1 })
const store: Store = createMemoryStore({ env })
const views: Views = createMemoryViews({ bytesMax: 1e8 })
const ephemeral: Ephemeral = createMemoryEphemeral({ env })
const bus: Bus = createMemoryBus({ env })
const rivulet: OpenRivulet = await openRivulet({ ports: { log, store, views, ephemeral, bus }, logLevel: 'silent' })
const page: FeedPage = await rivulet.as('ext:ann').feed({ limit: 3 })
export const content: string | null = page.posts[0].content
export const ids: { id: string }[] = (await rivulet.as('ext:ann').feed({ fields: 'ids' })).posts
// @ts-expect-error: the application itself follows nobody, and has no feed
rivulet.feed()
// @ts-expect-error: there is no such field
void rivulet.as('ext:ann').posts.create({ contents: 'x' })
// @ts-expect-error: by an external id only
void rivulet.accounts.put('12', {})
// @ts-expect-error: there is no such setting
void openRivulet({ dta: './data' })
export const code: 'not_found' | undefined = new RivuletError('not_found', '').code === 'not_found' ? 'not_found' : undefined
export const suites = [logConformance, storeConformance, viewsConformance, ephemeralConformance, busConformance]
`

test.each([
  ['node16', 'node16', []],
  // The types of what it depends on have been checked by then.
  ['esnext', 'bundler', ['--skipLibCheck']],
])('its types hold with --module %s --moduleResolution %s', async (module, resolution, flags) => {
  const file = join(installed.project, `typed-${module}.ts`)
  writeFileSync(file, TYPED)
  const how = [
    '--module',
    module,
    '--moduleResolution',
    resolution,
    '--target',
    'es2023',
    '--strict',
    '--noEmit',
  ]
  const types = ['--types', 'node', '--typeRoots', join(ROOT, 'node_modules', '@types')]
  const tsc = join(ROOT, 'node_modules', '.bin', 'tsc')
  expect(await run(tsc, [...how, ...flags, ...types, file], installed.project)).toMatchObject({
    code: 0,
    stdout: '',
  })
})

test('as a library it does what its example shows', async () => {
  cpSync(join(installed.folder, 'examples'), join(installed.project, 'examples'), { recursive: true })
  const ended = await run(node, ['examples/library.mjs', 'library-data'], installed.project)
  expect(ended).toMatchObject({ code: 0, stderr: '' })
  expect(ended.stdout).toMatch(
    /^bob: Hello, Ada\ncomplete up to \S+Z: true\n1 new since then\nnobody: not_found\nover HTTP: Hello, Ada\n$/,
  )
})

test.each(['README.md', 'docs/library.md'])('what %s shows runs as it stands', async (name) => {
  const [, shown] = /```js\n(.*?)```/s.exec(readFileSync(join(installed.folder, name), 'utf8')) ?? []
  const project = join(installed.project, `shown-in-${name.replaceAll('/', '-')}`)
  mkdirSync(project)
  // But for a port that may be somebody's.
  writeFileSync(join(project, 'shown.mjs'), String(shown).replace('port: 8080', 'port: 0'))
  expect(await run(node, ['shown.mjs'], project)).toEqual({ code: 0, stdout: '', stderr: '' })
})

test('an adapter of one’s own is proved by the suite of its port', async () => {
  for (const name of ['vitest', 'fast-check'])
    symlinkSync(join(ROOT, 'node_modules', name), join(installed.project, 'node_modules', name))
  const vitest = join(ROOT, 'node_modules', 'vitest', 'vitest.mjs')
  const suite = (name: string) =>
    run(node, [vitest, 'run', '--root', '.', `examples/${name}`], installed.project)
  const proved = await suite('own-bus.test.mjs')
  expect([proved.code, proved.stdout]).toEqual([0, expect.stringMatching(/Tests .*\b9 passed/)])

  // One that goes on after it was closed.
  const own = join(installed.project, 'examples', 'own-bus.mjs')
  writeFileSync(own, readFileSync(own, 'utf8').replace('isClosed = true', 'isClosed = false'))
  expect((await suite('own-bus.test.mjs')).code).toBe(1)
})

async function until<T>(look: () => Promise<T | undefined>): Promise<T> {
  const deadlineMs = env.monotonicMs() + 30_000
  for (;;) {
    const found = await look()
    if (found !== undefined) return found
    if (env.monotonicMs() > deadlineMs) throw new Error('waited for 30 s')
    await sleep(env, 50)
  }
}

/** The server of that folder, once it says where it is, whoever started it. */
async function readyAt(file: () => string): Promise<string> {
  const url = await until(async () => /is ready: (http:\S+)/.exec(file())?.[1])
  const response = await fetch(`${url}/readyz`)
  expect([response.status, await response.json()]).toEqual([
    200,
    expect.objectContaining({ status: 'ready' }),
  ])
  return url
}

const ownerFile = (data: string) => join(installed.project, data, 'owner.json')
const ownerOf = (data: string): number =>
  (JSON.parse(readFileSync(ownerFile(data), 'utf8')) as { pid: number }).pid
/** A clean end removes the file, last of all. */
const given = (data: string) => until(async () => (existsSync(ownerFile(data)) ? undefined : true))

test.runIf(existsSync('/proc/self/stat'))(
  'npx rivulet serve: when npx is killed, the server ends, too, and gives its folder back',
  async () => {
    async function served(signal: NodeJS.Signals): Promise<void> {
      const data = `data-${signal}`
      const npx = launch('npx', ['rivulet', 'serve', '--data', data, '--port', '0'], installed.project)
      let said = ''
      npx.stdout?.on('data', (chunk: Buffer) => (said += chunk.toString()))
      await readyAt(() => said)
      expect(ownerOf(data)).not.toBe(npx.pid)
      npx.kill(signal)
      await given(data)
      const bin = join(installed.project, 'node_modules', '.bin', 'rivulet')
      expect(await run(bin, ['doctor', '--data', data], installed.project)).toMatchObject({ code: 0 })
    }
    await Promise.all([served('SIGKILL'), served('SIGTERM')])
  },
)

test('a server that a script has put into the background outlives npm', async () => {
  const log = join(installed.project, 'behind.log')
  expect(await run('npm', ['run', '--silent', 'behind'], installed.project)).toMatchObject({ code: 0 })
  const url = await readyAt(() => (existsSync(log) ? readFileSync(log, 'utf8') : ''))
  await sleep(env, 1_500)
  expect((await fetch(`${url}/readyz`)).status).toBe(200)
  process.kill(ownerOf('behind'), 'SIGTERM')
  await given('behind')
})
