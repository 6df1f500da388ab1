/** The outcome of a drill as lines of text. */

import { cpus, totalmem } from 'node:os'
import type { Tally } from './measure.ts'
import type { Outcome } from './run.ts'

const VIOLATIONS_SHOWN_MAX = 20
const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`

export function describeMachine(): string {
  const [cpu] = cpus()
  const gib = Math.round(totalmem() / 2 ** 30)
  return `${cpus().length} × ${cpu.model.trim()}, ${gib} GiB, ${process.platform}, Node ${process.version}`
}

export function reportLines(outcome: Outcome): string[] {
  const { figures, effect, findings, violations } = outcome
  const codes = Object.entries(figures.codes).map(([code, count]) => `${code} ${count}`)
  return [
    `  writes       ${tallyText(figures.writes)}`,
    `  reads        ${tallyText(figures.reads)}`,
    `  refusals     ${codes.join(', ') || 'none'}${outcome.leftOut > 0 ? `; ${outcome.leftOut} operations were left out` : ''}`,
    `  sent again   ${figures.retried} operations, by clients that went to another API process`,
    `  the fault    met ${effect.fail} refusals, ${effect.unknown} unknown outcomes, ${effect.incompletePages} incomplete pages, ${effect.degradedPages} without a source; slowest operation ${seconds(effect.slowestMs)}`,
    `  recovery     ${outcome.recoveryMs > 0 ? seconds(outcome.recoveryMs) : 'none'}`,
    `  repeated     ${findings.repeated} refused or unknown writes were done when sent again with their key, ${findings.heldBack} were still held back (409)`,
    `  checked      ${findings.checkedPosts} posts, ${findings.checkedPages} pages, ${findings.completePages} of them complete`,
    `  violations   ${violations.length}`,
    ...violations.slice(0, VIOLATIONS_SHOWN_MAX).map((line) => `    ${line}`),
  ]
}

const tallyText = ({ counts, pauseMs, slowestMs }: Tally): string =>
  `${counts.ok} ok, ${counts.fail} fail, ${counts.unknown} unknown; longest pause ${seconds(pauseMs)}, slowest ok ${seconds(slowestMs)}`
