/**
 * Installs the programs of the engines: Redis, Java and Maven from Debian's packages, Kafka and Cassandra as jars from
 * Maven Central. Jars are fetched once and kept in a cache folder.
 */

import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { Report } from './engine.ts'

/** Artifacts of Maven Central, to be fetched with all their dependencies. */
export interface Artifact {
  readonly name: string
  /** `group:artifact:version` */
  readonly coordinates: readonly string[]
}

export const cacheFolder = (): string =>
  join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'rivulet')

const isThere = (command: string): boolean =>
  spawnSync('sh', ['-c', `command -v ${command}`], { stdio: 'ignore' }).status === 0

/** @returns the folder that holds the jars */
export async function jarsOf(artifact: Artifact, report: Report): Promise<string> {
  const folder = join(cacheFolder(), artifact.name)
  if (existsSync(folder)) return folder
  await need('mvn', 'maven', report)
  const draft = `${folder}.${process.pid}`
  mkdirSync(draft, { recursive: true })
  try {
    writeFileSync(join(draft, 'pom.xml'), pomOf(artifact))
    report(`${artifact.name}: fetching from Maven Central`)
    const goal = ['dependency:copy-dependencies', `-DoutputDirectory=${draft}`, '-DincludeScope=runtime']
    await run('mvn', ['-B', '-q', '-f', join(draft, 'pom.xml'), ...goal], artifact.name, report)
    if (existsSync(folder)) return folder
    renameSync(draft, folder)
  } finally {
    rmSync(draft, { recursive: true, force: true })
  }
  report(`${artifact.name}: ${readdirSync(folder).length - 1} jars in ${folder}`)
  return folder
}

const pomOf = ({ name, coordinates }: Artifact): string => {
  const dependencies = coordinates.map((each) => {
    const [group, artifact, version] = each.split(':')
    return `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`
  })
  return `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>rivulet</groupId><artifactId>${name}</artifactId><version>1</version><packaging>pom</packaging>
<dependencies>${dependencies.join('')}</dependencies></project>\n`
}

/** Finds or installs Java 17, on which both Kafka and Cassandra run. @returns its command */
export async function javaOf(report: Report): Promise<string> {
  const known = findJava()
  if (known !== undefined) return known
  await aptInstall('openjdk-17-jre-headless', report)
  const java = findJava()
  if (java === undefined)
    throw new Error('Java 17 cannot be found; install openjdk-17-jre-headless, or set JAVA_HOME')
  return java
}

function findJava(): string | undefined {
  const root = '/usr/lib/jvm'
  const folders = existsSync(root) ? readdirSync(root).filter((name) => name.includes('-17-')) : []
  const homes = [process.env.JAVA_HOME, ...folders.map((name) => join(root, name))]
  const candidates = [
    'java',
    ...homes.flatMap((home) => (home === undefined ? [] : [join(home, 'bin/java')])),
  ]
  return candidates.find((command) => {
    const { stderr } = spawnSync(command, ['-version'], { encoding: 'utf8' })
    return /version "17[."]/.test(stderr ?? '')
  })
}

/** Makes sure that a command exists, and installs `debianPackage` if it does not. */
export async function need(command: string, debianPackage: string, report: Report): Promise<void> {
  if (isThere(command)) return
  await aptInstall(debianPackage, report)
  if (!isThere(command))
    throw new Error(`${command} cannot be found, although ${debianPackage} was installed`)
}

async function aptInstall(debianPackage: string, report: Report): Promise<void> {
  const help = `install ${debianPackage} by hand`
  if (!isThere('apt-get')) throw new Error(`${debianPackage} is missing, and there is no apt-get; ${help}`)
  const sudo = process.getuid?.() === 0 ? [] : ['sudo', '-n']
  const [command, ...args] = [...sudo, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get']
  report(`installing ${debianPackage}`)
  await run(command, [...args, 'update', '-qq'], debianPackage, report)
  await run(
    command,
    [...args, 'install', '-y', '-qq', '--no-install-recommends', debianPackage],
    help,
    report,
  )
}

const PROGRESS_EVERY_MS = 5_000
const OUTPUT_CHARS_MAX = 4_000

/** Runs a command to its end, and reports regularly that it still runs. If it fails, rejects with the end of its output. */
export function run(
  command: string,
  args: readonly string[],
  what: string,
  report: Report,
  options: { readonly cwd?: string } = {},
): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    const keep = (chunk: Buffer) => void (output = (output + chunk.toString()).slice(-OUTPUT_CHARS_MAX))
    child.stdout.on('data', keep)
    child.stderr.on('data', keep)
    const startMs = performance.now()
    const timer = setInterval(
      () => report(`${what}: ${Math.round((performance.now() - startMs) / 1_000)} s`),
      PROGRESS_EVERY_MS,
    )
    child.once('error', reject)
    child.once('close', (status) => {
      clearInterval(timer)
      if (status === 0) resolve()
      else reject(new Error(`${command} ended with ${status}:\n${output}`))
    })
  })
}
