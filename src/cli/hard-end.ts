/**
 * An end that nothing in this process can hold up: another one kills it, should it still be there after a while. A loop
 * that never ends, a write to a pipe that nobody reads, a library's own handler at exit: all of these would keep timers
 * of this process from firing.
 */

import { spawn } from 'node:child_process'

/** Goes when its input ends, which is when the process that started it has gone. */
const WATCHDOG = `
const [pid, ms] = process.argv.slice(1).map(Number)
process.stdin.on('end', () => process.exit()).on('error', () => process.exit()).resume()
setTimeout(() => {
  try { process.kill(pid, 'SIGKILL') } finally { process.exit() }
}, ms)
`

export function endWithin(ms: number): void {
  try {
    const watchdog = spawn(process.execPath, ['-e', WATCHDOG, String(process.pid), String(ms)], {
      stdio: ['pipe', 'ignore', 'ignore'],
      // A signal to the whole group is not meant for it.
      detached: true,
      env: {},
    })
    // Where no process can be started, the end is bounded by this one's own timers alone.
    watchdog.on('error', () => undefined)
    watchdog.unref()
  } catch {
    // The same.
  }
}
