/** The package as a user gets it: made from the sources as they are now, packed, and installed in an empty project. */

import { type ChildProcess, spawn } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = fileURLToPath(new URL('../..', import.meta.url))

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface Installed {
  /** The project that has the package. */
  readonly project: string
  /** The package in it. */
  readonly folder: string
  /** To be removed afterwards. */
  readonly root: string
}

/** Without what npm and vitest tell the processes that they start, and without anybody's settings. */
function environment(): NodeJS.ProcessEnv {
  const others = /^(RIVULET_|VITEST|NODE_OPTIONS|FORCE_COLOR|npm_(lifecycle|package|command|execpath))/
  const kept = Object.entries(process.env).filter(([name]) => !others.test(name))
  return { ...Object.fromEntries(kept), NO_COLOR: '1' }
}

/** In a process group of its own, as a shell starts a job. */
export const launch = (command: string, args: readonly string[], cwd: string): ChildProcess =>
  spawn(command, args, { cwd, env: environment(), detached: true, stdio: ['ignore', 'pipe', 'pipe'] })

export function run(command: string, args: readonly string[], cwd: string): Promise<Ended> {
  const child = spawn(command, args, { cwd, env: environment(), stdio: ['ignore', 'pipe', 'pipe'] })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, stdout, stderr }))
  })
}

async function done(command: string, args: readonly string[], cwd: string): Promise<Ended> {
  const ended = await run(command, args, cwd)
  if (ended.code === 0) return ended
  throw new Error(`${command} ${args.join(' ')} ended with ${ended.code}:\n${ended.stderr}${ended.stdout}`)
}

/** What is built stands in a folder of its own: a server may run from the one of the checkout. */
async function packed(stage: string, to: string): Promise<string> {
  const { files } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { files: string[] }
  const copied = files.filter((name) => !name.includes('dist/'))
  for (const name of ['package.json', 'README.md', 'LICENSE', ...copied]) {
    mkdirSync(dirname(join(stage, name)), { recursive: true })
    cpSync(join(ROOT, name), join(stage, name), { recursive: true })
  }
  const tsc = join(ROOT, 'node_modules', '.bin', 'tsc')
  await done(tsc, ['-p', 'tsconfig.build.json', '--noCheck', '--outDir', join(stage, 'dist')], ROOT)
  const { stdout } = await done(
    'npm',
    ['pack', '--ignore-scripts', '--json', '--pack-destination', to],
    stage,
  )
  const [{ filename }] = JSON.parse(stdout) as [{ filename: string }]
  return join(to, filename)
}

/** Its dependencies come from npm's cache, or from the registry: without either it fails, and says so. */
export async function install(): Promise<Installed> {
  const root = mkdtempSync(join(tmpdir(), 'rivulet-package-'))
  const [stage, project] = [join(root, 'stage'), join(root, 'project')]
  mkdirSync(stage)
  mkdirSync(project)
  const tarball = await packed(stage, root)
  const scripts = { behind: 'nohup rivulet serve --data behind --port 0 > behind.log 2>&1 &' }
  writeFileSync(join(project, 'package.json'), JSON.stringify({ private: true, type: 'module', scripts }))
  const patience = ['--fetch-retries=1', '--fetch-timeout=30000', '--prefer-offline']
  await done('npm', ['install', '--engine-strict', '--no-audit', '--no-fund', ...patience, tarball], project)
  return { root, project, folder: join(project, 'node_modules', 'rivulet') }
}
