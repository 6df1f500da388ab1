/**
 * npm and npx start a command and wait for it, but end without ending it: killed, they leave a server behind that
 * nobody knows of and that keeps its folder. A server that such a process waits for ends with it. One that a script
 * has put into the background is on its own, as is one that a supervisor starts.
 */

import { readFileSync } from 'node:fs'
import type { Environment } from '../app/config/config.ts'
import type { Env } from '../ports/env/env.ts'

const LOOK_EVERY_MS = 500
/** npm itself, or the shell in which it runs a command. */
const STEPS_MAX = 2
const STARTER_GONE = 'npm is gone'

/** Resolves when npm, which waited for this process, is gone. Never without npm, and only where there is `/proc`. */
export function starterGone(env: Env, environment: Environment): Promise<typeof STARTER_GONE> {
  const starters = isWaitedFor(environment) ? startersOf(environment.npm_execpath) : undefined
  return new Promise((resolve) => {
    function look(): void {
      if (starters === undefined) return
      if (isStanding(starters)) env.timer(LOOK_EVERY_MS, look)
      else resolve(STARTER_GONE)
    }
    look()
  })
}

/** Whether npm runs this and, by the text of its script, waits for it. */
export function isWaitedFor({ npm_lifecycle_script: script }: Environment): boolean {
  if (script === undefined) return false
  const withoutOthers = script.replace(/&&|[<>]&|&>/g, '')
  return !withoutOthers.includes('&') && !/\b(nohup|setsid|disown)\b/.test(script)
}

/** From the parent of this process up to npm. */
function startersOf(npmPath: string | undefined): readonly number[] | undefined {
  const starters: number[] = []
  for (let pid = process.pid; starters.length < STEPS_MAX;) {
    const parent = parentOf(pid)
    if (parent === undefined) return undefined
    starters.push(parent)
    if (isNpm(parent, npmPath)) return starters
    pid = parent
  }
  return undefined
}

function isNpm(pid: number, npmPath: string | undefined): boolean {
  const command = read(pid, 'cmdline')?.replaceAll('\0', ' ') ?? ''
  return command.startsWith('npm ') || (npmPath !== undefined && command.includes(npmPath))
}

/** Whoever loses its parent is given another one. */
const isStanding = (starters: readonly number[]): boolean =>
  starters.every((starter, i) => parentOf(i === 0 ? process.pid : starters[i - 1]) === starter)

function parentOf(pid: number): number | undefined {
  const stat = read(pid, 'stat')
  // `pid (name) state parent …`, and the name may hold anything.
  const [, parent] = /.*\) \S (\d+)/s.exec(stat ?? '') ?? []
  return parent === undefined ? undefined : Number(parent)
}

function read(pid: number, name: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'utf8')
  } catch {
    return undefined
  }
}
