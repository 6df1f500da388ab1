/** Rows that an import leaves out: the first of them with file, line and reason, all of them counted by kind. */

import { RivuletError } from '../../core/errors.ts'

export interface Place {
  readonly file: string
  /** From 1. */
  readonly line: number
}

export interface Problems {
  /** A row is left out. `kind` is counted, so it is one of few; `detail` says more about this row. */
  add(place: Place, kind: string, detail?: string): void
  /** More of the same are left out than are worth a place each. */
  count(kind: string, by: number): void
  /** A row that says nothing new: nothing is lost without it. */
  note(place: Place, kind: string): void
  /** How many were left out. */
  readonly total: number
  readonly byKind: ReadonlyMap<string, number>
  readonly notedByKind: ReadonlyMap<string, number>
  /** What was first left out of a file. */
  firstOf(file: string): string | undefined
}

/** Of what is left out, and as many of what is noted. */
export const SHOWN_MAX = 20

export interface ProblemOptions {
  /** `add` throws `import_invalid`. */
  readonly isStrict?: boolean | undefined
}

export function createProblems(
  show: (text: string) => void,
  { isStrict = false }: ProblemOptions = {},
): Problems {
  const [byKind, notedByKind] = [new Map<string, number>(), new Map<string, number>()]
  const firsts = new Map<string, string>()
  const [showLeftOut, showNoted] = [few(show, 'left out'), few(show, 'noted')]
  let total = 0

  function count(kind: string, by: number): void {
    if (by === 0) return
    total += by
    byKind.set(kind, (byKind.get(kind) ?? 0) + by)
  }
  return {
    add({ file, line }, kind, detail) {
      const text = `${file}:${line}: ${kind}${detail === undefined ? '' : ` (${detail})`}`
      if (isStrict) throw new RivuletError('import_invalid', `${text}; with --strict, the import ends here`)
      if (!firsts.has(file)) firsts.set(file, text)
      count(kind, 1)
      showLeftOut(text)
    },
    count,
    note({ file, line }, kind) {
      notedByKind.set(kind, (notedByKind.get(kind) ?? 0) + 1)
      showNoted(`${file}:${line}: ${kind}`)
    },
    get total() {
      return total
    },
    byKind,
    notedByKind,
    firstOf: (file) => firsts.get(file),
  }
}

/** Shows the first few texts, and says that there are more. */
function few(show: (text: string) => void, what: string): (text: string) => void {
  let shown = 0
  return (text) => {
    shown++
    if (shown <= SHOWN_MAX) show(text)
    else if (shown === SHOWN_MAX + 1) show(`more such rows are ${what}; they are counted, but not shown`)
  }
}

/** A file of which nothing could be taken is not imported. */
export function nothingTaken(file: string, what: string, problems: Problems): RivuletError {
  const first = problems.firstOf(file)
  const message =
    first === undefined
      ? `${file} holds no ${what}`
      : `${file} holds no ${what} that can be taken; the first is left out: ${first}`
  return new RivuletError('import_invalid', message)
}
