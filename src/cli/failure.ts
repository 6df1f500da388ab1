/** Ends a command that failed: one line with the error's code on stderr, and the exit code. */

import { CommanderError } from 'commander'
import { isDebugging, processEnvironment } from '../app/config/config.ts'
import { isRivuletError, RivuletError } from '../core/errors.ts'

export const EXIT = { ok: 0, failed: 1, usage: 2, leftOut: 3 } as const

/** Prints the error. @returns the exit code */
export function reportFailure(error: unknown): number {
  // Commander has printed its message already; asking for help is not a failure.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage
  process.stderr.write(`${failureLine(error)}\n`)
  if (isDebugging(processEnvironment()) && error instanceof Error) {
    for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
      process.stderr.write(`${cause.stack ?? cause.message}\n`)
    }
  }
  return isRivuletError(error, 'config_invalid') ? EXIT.usage : EXIT.failed
}

function failureLine(error: unknown): string {
  const message = (error instanceof Error ? error.message : String(error)).replaceAll('\n', ' ')
  if (isRivuletError(error) && error.code !== 'internal') return `rivulet: ${error.code}: ${message}`
  const next = 'this should not happen; run it again with RIVULET_LOG_LEVEL=debug to see where'
  return `rivulet: internal: ${message}; ${next}`
}

/** Turns the system's error about an address into a message with advice. @param flags that choose another address */
export function listenFailure(error: unknown, host: string, port: number, flags: string): Error {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  const at = `${host}:${port}`
  const next = `choose another with ${flags} (0 takes a free port)`
  if (code === 'EADDRINUSE')
    return new RivuletError('unavailable', `${at} is in use by another program; ${next}`)
  if (code === 'EACCES') return new RivuletError('unavailable', `this user may not listen on ${at}; ${next}`)
  if (code === 'EADDRNOTAVAIL')
    return new RivuletError('unavailable', `${host} is not an address of this machine; ${next}`)
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN')
    return new RivuletError('unavailable', `the host name ${host} cannot be resolved; ${next}`)
  return error instanceof Error ? error : new Error(String(error))
}
