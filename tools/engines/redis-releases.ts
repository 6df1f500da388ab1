/**
 * Chooses the Redis that is started: the installed one, or with ENGINES_REDIS another release. Other releases come from
 * Debian 13, whatever system this machine has: apt fetches and checks them, they are unpacked into the cache together with
 * the libraries that they need, and run with their own loader. Nothing is installed.
 */

import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Report } from './engine.ts'
import { cacheFolder, need, run } from './install.ts'

const INSTALLED = 'installed'
/** The path of each release's program in the unpacked folder. */
const PROGRAMS: Readonly<Record<string, string>> = {
  'redis-8': 'usr/bin/redis-server',
  'valkey-8': 'usr/bin/valkey-server',
}
const FOLDER = 'redis-of-debian-13'
const SOURCE =
  'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian trixie main\n'
/** If a newer package needs more libraries, the program says which one it lacks: add its package here. */
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

/** @returns the start of a command that runs the server; ENGINES_REDIS names the release */
export async function redisServer(report: Report): Promise<readonly string[]> {
  const release = process.env.ENGINES_REDIS ?? INSTALLED
  if (release === INSTALLED) {
    await need('redis-server', 'redis-server', report)
    return ['redis-server']
  }
  const program = PROGRAMS[release]
  if (program === undefined) {
    const known = [INSTALLED, ...Object.keys(PROGRAMS)].join(', ')
    throw new Error(`ENGINES_REDIS is ${release}; it may be one of ${known}`)
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

/** apt works on sources, lists and a cache of its own, so that the machine's own package lists stay as they are. */
const aptOptions = (at: (path: string) => string): string[] =>
  [
    `Dir::Etc::SourceList=${at('sources.list')}`,
    'Dir::Etc::SourceParts=/dev/null',
    `Dir::State::Lists=${at('lists')}`,
    `Dir::Cache=${at('cache')}`,
    // Otherwise apt fetches as the user `_apt`, which may not write here.
    'APT::Sandbox::User=root',
  ].flatMap((option) => ['-o', option])
