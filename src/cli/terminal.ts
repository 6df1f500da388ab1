/** The output of commands: results on stdout, remarks and progress on stderr. */

import type { Progress } from '../app/import/progress.ts'
import type { Env } from '../ports/env/env.ts'

export interface Terminal {
  /** Results, on stdout. */
  print(text: string): void
  /** Remarks, on stderr. */
  note(text: string): void
  /** Shows a bar on a terminal; elsewhere prints a line every few seconds. */
  readonly progress: Progress
  /** Removes the bar. */
  endProgress(): void
}

const BAR_CELLS = 30
const BAR_INTERVAL_MS = 100
const LINE_INTERVAL_MS = 5_000
const MIB = 2 ** 20

export function createTerminal(env: Env): Terminal {
  const isTty = process.stderr.isTTY === true
  let shownAtMs = -Infinity
  let hasBar = false

  function endProgress(): void {
    if (hasBar) process.stderr.write('\r\x1b[K')
    hasBar = false
  }
  function show(text: string): void {
    const nowMs = env.monotonicMs()
    if (nowMs - shownAtMs < (isTty ? BAR_INTERVAL_MS : LINE_INTERVAL_MS)) return
    shownAtMs = nowMs
    hasBar = isTty
    process.stderr.write(isTty ? `\r\x1b[K${text}` : `${text}\n`)
  }
  return {
    print: (text) => void process.stdout.write(`${text}\n`),
    note(text) {
      endProgress()
      process.stderr.write(`${text}\n`)
    },
    progress: (step, unit = 'items') => {
      // Delays the first line: a short step needs none.
      if (!isTty) shownAtMs = Math.max(shownAtMs, env.monotonicMs() - LINE_INTERVAL_MS / 2)
      return (done, total) => show(progressText(step, done, total, unit === 'bytes', isTty))
    },
    endProgress,
  }
}

function progressText(step: string, done: number, total: number, isBytes: boolean, withBar: boolean): string {
  const share = total === 0 ? 1 : Math.min(1, done / total)
  const amount = (value: number) => (isBytes ? `${(value / MIB).toFixed(1)} MiB` : count(value))
  const percent = `${Math.floor(share * 100)} %`.padStart(5)
  const text = `${step.padEnd(14)} ${percent}  ${amount(done)} of ${amount(total)}`
  if (!withBar) return text
  const cells = Math.round(share * BAR_CELLS)
  return `${'█'.repeat(cells)}${'░'.repeat(BAR_CELLS - cells)}  ${text}`
}

/** 1234567 → 1,234,567 */
export const count = (value: number): string => String(value).replace(/\B(?=(\d{3})+$)/g, ',')

export const seconds = (ms: number): string => `${(ms / 1_000).toFixed(ms < 9_950 ? 1 : 0)} s`
