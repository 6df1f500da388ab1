/** The documents name only what is there: settings, commands, flags, scripts, files, and each other. */

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { isOfPlatform } from '../src/app/platform-variables.ts'
import { SETTING_KEYS, variableOf } from '../src/app/config/settings.ts'
import { benchCommand } from '../src/cli/bench.ts'
import { deadLettersCommand } from '../src/cli/dead-letters.ts'
import { doctorCommand } from '../src/cli/doctor.ts'
import { importCommand } from '../src/cli/import.ts'
import { migrateCommand } from '../src/cli/migrate.ts'
import { moveCommand } from '../src/cli/move.ts'
import { serveCommand } from '../src/cli/serve.ts'

const ROOT = path.resolve(import.meta.dirname, '..')

interface Document {
  readonly name: string
  readonly text: string
  /** Lines of its blocks of shell commands. */
  readonly commands: readonly string[]
}

const documents: Document[] = ['README.md', 'CONTRIBUTING.md', ...markdownIn('docs')].map((name) => {
  const text = readFileSync(path.join(ROOT, name), 'utf8')
  const blocks = [...text.matchAll(/^```sh\n(.*?)^```/gms)].map(([, block]) => block)
  return { name, text, commands: blocks.flatMap((block) => block.split('\n')) }
})

function markdownIn(folder: string): string[] {
  const names = readdirSync(path.join(ROOT, folder), { recursive: true, encoding: 'utf8' })
  return names.filter((name) => name.endsWith('.md')).map((name) => path.join(folder, name))
}

/** What is wrong, in all documents. */
const wrong = (find: (document: Document) => readonly string[]): string[] =>
  documents.flatMap((document) => find(document).map((what) => `${document.name}: ${what}`))

/** Of the tests, and one that is named as wrong. */
const NO_SETTINGS = new Set([
  'RIVULET_CRASH_ROUNDS',
  'RIVULET_HISTORY_RUNS',
  'RIVULET_HISTORY_SEED',
  'RIVULET_KAFKA_BROKERS',
])

test('variables are settings', () => {
  const settings = new Set(SETTING_KEYS.map(variableOf))
  const unknown = wrong(({ text }) =>
    [...text.matchAll(/\bRIVULET_[A-Z0-9_]*[A-Z0-9]\b/g)]
      .map(([name]) => name)
      .filter((name) => !settings.has(name) && !NO_SETTINGS.has(name) && !isOfPlatform(name, '')),
  )
  expect(unknown).toEqual([])
})

test('every setting has its row', () => {
  const { text: operating } = documents.find(({ name }) => name === 'docs/operating.md')!
  const { text: engines } = documents.find(({ name }) => name === 'docs/operating/engines.md')!
  const rows = `${operating}${engines}`.split('\n').filter((line) => line.startsWith('| `RIVULET_'))
  const missing = SETTING_KEYS.filter((key) => key !== 'config').filter(
    (key) => !rows.some((row) => row.includes(`\`${variableOf(key)}\``)),
  )
  expect(missing).toEqual([])
})

const COMMANDS = new Map(
  [serveCommand, migrateCommand, moveCommand, importCommand, doctorCommand, deadLettersCommand, benchCommand]
    .map((make) => make())
    .map((command) => [command.name(), new Set(command.options.map(({ long }) => long))]),
)

/** What does not exist of `rivulet COMMAND --flag …`. */
function unknownIn(line: string): string[] {
  const [, name, rest] = /(?:^|\s)(?:npx rivulet|(?:node )?bin\/rivulet\.js) ([a-z-]+)(.*)/.exec(line) ?? []
  if (name === undefined) return []
  const flags = COMMANDS.get(name)
  if (flags === undefined) return [line]
  const [given] = rest.split('#')
  return [...given.matchAll(/(--[a-z-]+)/g)].map(([flag]) => flag).filter((flag) => !flags.has(flag))
}

test('commands of rivulet exist, with their flags, and are written as a checkout has them', () => {
  expect(wrong(({ commands }) => commands.flatMap(unknownIn))).toEqual([])
  const bare = wrong(({ commands }) => commands.filter((line) => /^rivulet /.test(line)))
  expect(bare).toEqual([])
})

test('scripts of npm exist', () => {
  const { scripts } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>
  }
  const unknown = wrong(({ text }) =>
    [...text.matchAll(/npm run (?:--silent )?([a-z:]+)/g)]
      .map(([, name]) => name)
      .filter((name) => scripts[name] === undefined),
  )
  expect(unknown).toEqual([])
})

/** `a/{b,c}.ts` → `a/b.ts`, `a/c.ts` */
function expanded(name: string): string[] {
  const [, before, choices, after] = /^(.*?)\{([^}]*)\}(.*)$/.exec(name) ?? []
  if (choices === undefined) return [name]
  return choices.split(',').flatMap((choice) => expanded(before + choice + after))
}

const files = ['src', 'test', 'bench', 'docs', 'tools'].flatMap((folder) => [
  folder,
  ...readdirSync(path.join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map(
    (name) => `${folder}/${name}`,
  ),
])

function isThere(name: string): boolean {
  const escaped = name.replace(/\/$/, '').replace(/[.+$]/g, '\\$&')
  const form = new RegExp(`^${escaped.replaceAll('**', '.+').replaceAll(/(?<!\.)\*/g, '[^/]*')}$`)
  return files.some((file) => form.test(file))
}

test('files that are named are there', () => {
  const missing = wrong(({ text }) =>
    [...text.matchAll(/`((?:src|test|bench|docs|tools)\/[^`\s]*)`/g)]
      .flatMap(([, name]) => expanded(name))
      .filter((name) => !isThere(name)),
  )
  expect(missing).toEqual([])
})

/** As the names of headings become parts of addresses. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-')

test('links lead somewhere', () => {
  const broken = wrong(({ name, text }) =>
    [...text.matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, target]) => target)
      .filter((target) => !/^[a-z]+:/.test(target))
      .filter((target) => {
        const [file, anchor] = target.split('#')
        const linked = file === '' ? name : path.join(path.dirname(name), file)
        if (!existsSync(path.join(ROOT, linked))) return true
        if (anchor === undefined) return false
        const headings = readFileSync(path.join(ROOT, linked), 'utf8').matchAll(/^#+ (.*)$/gm)
        return ![...headings].some(([, heading]) => anchorOf(heading) === anchor)
      }),
  )
  expect(broken).toEqual([])
})

/** Parts of a block of code that begins with the name of its file; between them, the block leaves something out. */
function quotesIn(block: string): { readonly file: string; readonly parts: readonly string[] } | undefined {
  const [, file, code] = /^\/\/ (\S+\.ts)\n(.*)$/s.exec(block) ?? []
  return file === undefined ? undefined : { file, parts: code.split(/^ *\/\/ …\n/m) }
}

test('quoted code is as the file has it', () => {
  const differing = wrong(({ text }) =>
    [...text.matchAll(/^```ts\n(.*?)^```/gms)]
      .flatMap(([, block]) => quotesIn(block) ?? [])
      .flatMap(({ file, parts }) => {
        const source = readFileSync(path.join(ROOT, file), 'utf8')
        return parts.filter((part) => !source.includes(part)).map((part) => `${file}: ${part}`)
      }),
  )
  expect(differing).toEqual([])
})
