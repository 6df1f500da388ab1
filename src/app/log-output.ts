/**
 * Writes log lines to a file descriptor in the background, so that no request ever waits for the log. Lines are
 * gathered and written a few times a second. If the reader of the log goes away, the log ends and the process goes on.
 * While the reader stalls or the disk is full, lines wait up to a bound; lines beyond it, and lines that could not be
 * written, are dropped and counted.
 *
 * (The logger's own destination is not used: it writes its last lines synchronously and repeats a write that fails, so
 * a process whose log reader has gone would never end.)
 */

import { write } from 'node:fs'
import type { Env } from '../ports/env/env.ts'

export interface LogOutput {
  /** Takes a whole line. */
  write(line: string): void
  /** Begins to write the gathered lines. */
  flush(): void
  /** Removes and returns the lines whose writing has not begun, for a process that must end at once. */
  take(): string
  /** Resolves once everything was written, or writing failed. */
  drained(): Promise<void>
}

export interface LogOutputOptions {
  readonly env: Env
  readonly fd: number
  /** In characters: this much gathered text is written without waiting for `flush`. */
  readonly gatheredMax: number
  /** In characters: while more than this waits, lines are dropped. */
  readonly waitingMax: number
}

/** Between two tries to write to a pipe that is full. */
const FULL_WAIT_MS_MIN = 10
const FULL_WAIT_MS_MAX = 250
const GONE = new Set(['EPIPE', 'EBADF', 'ECONNRESET'])
const NEWLINE = 10

/** Lines that are being written. */
interface Batch {
  readonly bytes: Buffer
  /** How many dropped lines the note in this batch reports. */
  readonly told: number
}

export function createLogOutput({ env, fd, gatheredMax, waitingMax }: LogOutputOptions): LogOutput {
  let gathered = ''
  let isWriting = false
  let isOver = false
  let leftOut = 0
  let waiters: (() => void)[] = []

  function take(): string {
    const lines = gathered + noteOf(leftOut)
    gathered = ''
    leftOut = 0
    return lines
  }

  function next(): void {
    if (isWriting || isOver || gathered === '') return
    isWriting = true
    const told = leftOut
    writeFrom({ bytes: Buffer.from(take()), told }, 0, FULL_WAIT_MS_MIN)
  }

  function writeFrom(batch: Batch, at: number, waitMs: number): void {
    const { bytes } = batch
    write(fd, bytes, at, bytes.length - at, null, (error, written) => {
      if (error === null && at + written < bytes.length)
        return writeFrom(batch, at + written, FULL_WAIT_MS_MIN)
      if (error?.code === 'EAGAIN') {
        const longer = Math.min(2 * waitMs, FULL_WAIT_MS_MAX)
        return void env.timer(waitMs, () => writeFrom(batch, at, longer))
      }
      isWriting = false
      if (error === null && gathered !== '') return next()
      if (error !== null) fail(error, batch, at)
      tell()
    })
  }

  function fail({ code = '' }: NodeJS.ErrnoException, { bytes, told }: Batch, at: number): void {
    if (GONE.has(code)) {
      isOver = true
      gathered = ''
    } else {
      leftOut += told + bytes.subarray(at).filter((byte) => byte === NEWLINE).length - Math.min(told, 1)
    }
  }

  function tell(): void {
    for (const wake of waiters) wake()
    waiters = []
  }

  return {
    write(line) {
      if (isOver) return
      if (gathered.length + line.length > waitingMax) leftOut++
      else gathered += line
      if (gathered.length >= gatheredMax) next()
    },
    flush: next,
    take,
    drained() {
      next()
      return isWriting ? new Promise((resolve) => void waiters.push(resolve)) : Promise.resolve()
    },
  }
}

const noteOf = (lines: number): string =>
  lines === 0
    ? ''
    : `${JSON.stringify({ level: 40, msg: `${lines} lines were left out here: the log is not read fast enough, or cannot be written` })}\n`
