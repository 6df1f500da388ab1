/**
 * Ends the process for certain: a second process kills it if it still runs after some time. Timers of the process
 * itself are not enough, because an endless loop, a write to a pipe that nobody reads, or a library's exit handler
 * would keep them from firing.
 */

import { spawn } from 'node:child_process'

/** The program of the second process. It ends when its input ends, because then the first process has gone. */
const WATCHDOG = `
const [pid, ms] = process.argv.slice(1).map(Number)
process.stdin.on('end', () => process.exit()).on('error', () => process.exit()).resume()
setTimeout(() => {
  try { process.kill(pid, 'SIGKILL') } finally { process.exit() }
}, ms)
`

/** Has this process killed unless it ends within this time. */
export function endWithin(ms: number): void {
  try {
    const watchdog = spawn(process.execPath, ['-e', WATCHDOG, String(process.pid), String(ms)], {
      stdio: ['pipe', 'ignore', 'ignore'],
      // Else a signal to the process group would end it, too.
      detached: true,
      env: {},
    })
    // If no process can be started, only this process's own timers bound its end.
    watchdog.on('error', () => undefined)
    watchdog.unref()
  } catch {
    // As above.
  }
}
