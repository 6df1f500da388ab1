/** Collects the rows that an import leaves out: counts all of them by kind, and shows the first with their reasons. */

import { RivuletError } from '../../core/errors.ts'

export interface Place {
  readonly file: string
  /** Counted from 1. */
  readonly line: number
}

export interface Problems {
  /** A row is left out. `kind` is one of few, since it is counted; `detail` says more about this row. */
  add(place: Place, kind: string, detail?: string): void
  /** Counts further rows of a kind that are left out, without showing them. */
  count(kind: string, by: number): void
  /** A row that adds nothing, such as a blank line: it does not count as left out. */
  note(place: Place, kind: string): void
  /** How many rows were left out. */
  readonly total: number
  readonly byKind: ReadonlyMap<string, number>
  readonly notedByKind: ReadonlyMap<string, number>
  /** The first row that was left out of a file, with its reason. */
  firstOf(file: string): string | undefined
}

/** Rows shown of those that are left out, and as many of those that are noted. */
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
    else if (shown === SHOWN_MAX + 1) show(`more rows are ${what}; they are counted, but not shown`)
  }
}

/** The error for a file without a valid row. */
export function nothingTaken(file: string, what: string, problems: Problems): RivuletError {
  const first = problems.firstOf(file)
  const message =
    first === undefined
      ? `${file} holds no ${what}`
      : `${file} holds no valid ${what}; the first that was left out: ${first}`
  return new RivuletError('import_invalid', message)
}
