/** The finding of one check of a data folder, and the list of faults from which it is made. */

import type { Progress } from '../import/progress.ts'
import type { OpenPorts } from '../ports/parts.ts'
import type { Rivulet } from '../rivulet.ts'

export interface Finding {
  readonly check: string
  /** What was checked: `5 readers, 40 posts`. */
  readonly seen: string
  /** The first few faults. */
  readonly examples: readonly string[]
  /** The number of all faults. */
  readonly wrong: number
}

/** What the checks examine. */
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
