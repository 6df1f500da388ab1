/** One check of a data folder: what it looked at, and what is wrong. */

import type { Progress } from '../import/progress.ts'
import type { OpenPorts } from '../ports/parts.ts'
import type { Rivulet } from '../rivulet.ts'

export interface Finding {
  readonly check: string
  /** What was looked at. */
  readonly seen: string
  /** The first few things that are wrong … */
  readonly examples: readonly string[]
  /** … of so many. */
  readonly wrong: number
}

export interface Patient {
  readonly ports: OpenPorts
  /** An engine over the folder that writes nothing. */
  readonly rivulet: Rivulet
  readonly progress: Progress
}

export interface Faults {
  add(text: string): void
  /** Adds the text unless the condition holds. */
  expect(condition: boolean, text: () => string): void
  finding(check: string, seen: string): Finding
}

const EXAMPLES_MAX = 10

export function createFaults(): Faults {
  const examples: string[] = []
  let wrong = 0
  const add = (text: string) => {
    wrong++
    if (examples.length < EXAMPLES_MAX) examples.push(text)
  }
  return {
    add,
    expect(condition, text) {
      if (!condition) add(text())
    },
    finding: (check, seen) => ({ check, seen, examples, wrong }),
  }
}
