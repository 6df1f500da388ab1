/**
 * Which Redis is started: the one that this machine has, or with ENGINES_REDIS another release. Those come from
 * Debian 13, whatever this machine has itself: fetched and checked by apt, unpacked into the cache together with
 * the libraries that they need, and run by their own loader. Nothing is installed.
 */

import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Report } from './engine.ts'
import { cacheFolder, need, run } from './install.ts'

const INSTALLED = 'installed'
/** By the name of a release, the program in the unpacked folder. */
const PROGRAMS: Readonly<Record<string, string>> = {
  'redis-8': 'usr/bin/redis-server',
  'valkey-8': 'usr/bin/valkey-server',
}
const FOLDER = 'redis-of-debian-13'
const SOURCE =
  'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian trixie main\n'
/** A newer package may need more: the program then says which library it lacks. */
const PACKAGES = [
  ...['redis-server', 'redis-tools', 'valkey-server', 'valkey-tools', 'libc6', 'libatomic1', 'libcap2'],
  ...[
    'libgcc-s1',
    'libjemalloc2',
    'liblzf1',
    'libssl3t64',
    'libstdc++6',
    'libsystemd0',
    'libzstd1',
    'zlib1g',
  ],
]

/** The beginning of a command that starts a server; ENGINES_REDIS names the release. */
export async function redisServer(report: Report): Promise<readonly string[]> {
  const release = process.env.ENGINES_REDIS ?? INSTALLED
  if (release === INSTALLED) {
    await need('redis-server', 'redis-server', report)
    return ['redis-server']
  }
  const program = PROGRAMS[release]
  if (program === undefined) {
    const known = [INSTALLED, ...Object.keys(PROGRAMS)].join(', ')
    throw new Error(`ENGINES_REDIS is ${release}; allowed is ${known}`)
  }
  const folder = join(cacheFolder(), FOLDER)
  if (!existsSync(folder)) await fetchInto(folder, report)
  const libraries = join(folder, 'usr/lib')
  const [triplet] = readdirSync(libraries).filter((name) => name.endsWith('-linux-gnu'))
  const own = join(libraries, triplet)
  const [loader] = readdirSync(own).filter((name) => name.startsWith('ld-linux'))
  return [join(own, loader), '--library-path', own, join(folder, program)]
}

async function fetchInto(folder: string, report: Report): Promise<void> {
  const draft = `${folder}.${process.pid}`
  const at = (path: string) => join(draft, path)
  for (const path of ['lists/partial', 'cache', 'debs', 'root']) mkdirSync(at(path), { recursive: true })
  try {
    writeFileSync(at('sources.list'), SOURCE)
    const apt = (...args: string[]) =>
      run('apt-get', [...aptOptions(at), '-qq', ...args], FOLDER, report, { cwd: at('debs') })
    report(`${FOLDER}: fetching from Debian`)
    await apt('update')
    await apt('download', ...PACKAGES)
    for (const name of readdirSync(at('debs')))
      await run('dpkg-deb', ['-x', join(at('debs'), name), at('root')], FOLDER, report)
    if (!existsSync(folder)) renameSync(at('root'), folder)
  } finally {
    rmSync(draft, { recursive: true, force: true })
  }
}

/** Sources, lists and a cache of its own: what this machine knows of packages stays as it is. */
const aptOptions = (at: (path: string) => string): string[] =>
  [
    `Dir::Etc::SourceList=${at('sources.list')}`,
    'Dir::Etc::SourceParts=/dev/null',
    `Dir::State::Lists=${at('lists')}`,
    `Dir::Cache=${at('cache')}`,
    // Who fetches must be able to write here.
    'APT::Sandbox::User=root',
  ].flatMap((option) => ['-o', option])
