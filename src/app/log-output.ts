/**
 * Where log lines go: a file descriptor, written to in the background and never waited for. Lines are gathered and
 * written a few times a second. A reader that has gone away ends the log, not the process; one that stands still holds
 * up one write, while lines wait up to a bound and are then left out, and counted.
 *
 * (The destination that comes with the logger writes its last lines synchronously, for as long as that fails: at the
 * end of a process whose reader has gone, that is for ever.)
 */

import { write } from 'node:fs'
import type { Env } from '../ports/env/env.ts'

export interface LogOutput {
  /** A whole line. */
  write(line: string): void
  /** Begins to write what was gathered. */
  flush(): void
  /** Resolves once everything was written, or cannot be. */
  drained(): Promise<void>
}

export interface LogOutputOptions {
  readonly env: Env
  readonly fd: number
  /** So much is gathered before it is written by itself. */
  readonly gatheredBytes: number
  /** Lines beyond that are left out, until there is room again. */
  readonly waitingBytesMax: number
}

export function createLogOutput({ env, fd, gatheredBytes, waitingBytesMax }: LogOutputOptions): LogOutput {
  let gathered = ''
  let isWriting = false
  let isOver = false
  let leftOut = 0
  let waiters: (() => void)[] = []

  function next(): void {
    if (isWriting || isOver || gathered === '') return
    const bytes = Buffer.from(gathered + noteOf(leftOut))
    gathered = ''
    leftOut = 0
    isWriting = true
    writeFrom(bytes, 0)
  }

  function writeFrom(bytes: Buffer, at: number): void {
    write(fd, bytes, at, bytes.length - at, null, (error, written) => {
      if (error !== null && error.code !== 'EAGAIN') return end()
      const from = error === null ? at + written : at
      if (from < bytes.length) return void env.yield().then(() => writeFrom(bytes, from))
      isWriting = false
      if (gathered === '') tell()
      else next()
    })
  }

  /** Nobody reads any more. */
  function end(): void {
    isOver = true
    gathered = ''
    tell()
  }

  function tell(): void {
    for (const wake of waiters) wake()
    waiters = []
  }

  return {
    write(line) {
      if (isOver) return
      if (gathered.length + line.length > waitingBytesMax) leftOut++
      else gathered += line
      if (gathered.length >= gatheredBytes) next()
    },
    flush: next,
    drained() {
      next()
      return isWriting ? new Promise((resolve) => void waiters.push(resolve)) : Promise.resolve()
    },
  }
}

const noteOf = (lines: number): string =>
  lines === 0
    ? ''
    : `${JSON.stringify({ level: 40, msg: `${lines} lines were left out here: the log is not read fast enough` })}\n`
