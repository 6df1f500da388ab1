/**
 * Ends a server together with the npm or npx that started it. When npm is killed, it does not end its command: the
 * server would go on unnoticed and keep its folder locked. So a server that npm waits for ends with npm. One that a
 * script has put into the background, or that a supervisor started, goes on.
 */

import { readFileSync } from 'node:fs'
import type { Environment } from '../app/config/config.ts'
import type { Env } from '../ports/env/env.ts'

const LOOK_EVERY_MS = 500
/** How far up npm may be: the parent, or the parent of the shell in which npm runs the command. */
const STEPS_MAX = 2
const STARTER_GONE = 'npm is gone'

/** Resolves when the npm that waits for this process has gone; never without npm, nor on systems without `/proc`. */
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

/** Whether npm runs this process and, judging by the text of its script, waits for it. */
export function isWaitedFor({ npm_lifecycle_script: script }: Environment): boolean {
  if (script === undefined) return false
  const withoutOthers = script.replace(/&&|[<>]&|&>/g, '')
  return !withoutOthers.includes('&') && !/\b(nohup|setsid|disown)\b/.test(script)
}

/** The processes from the parent of this one up to npm; `undefined` if npm is not among them. */
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

/** A process whose parent ends gets another parent, so the chain is intact while all parents are the same. */
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
