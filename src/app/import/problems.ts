/** Rows that an import leaves out: the first of them with file and line, all of them counted by kind. */

export interface Place {
  readonly file: string
  /** From 1. */
  readonly line: number
}

export interface Problems {
  /** `kind` is counted, so it is one of few; `detail` says more about this row. */
  add(place: Place, kind: string, detail?: string): void
  /** Something that concerns no single row, counted without a place. */
  count(kind: string, by?: number): void
  readonly total: number
  readonly byKind: ReadonlyMap<string, number>
}

export const SHOWN_MAX = 20

export function createProblems(show: (text: string) => void): Problems {
  const byKind = new Map<string, number>()
  let total = 0
  let shown = 0

  function count(kind: string, by = 1): void {
    total += by
    byKind.set(kind, (byKind.get(kind) ?? 0) + by)
  }
  return {
    count,
    add({ file, line }, kind, detail) {
      count(kind)
      shown++
      if (shown <= SHOWN_MAX) show(`${file}:${line}: ${kind}${detail === undefined ? '' : ` (${detail})`}`)
      else if (shown === SHOWN_MAX + 1) show('more such rows are counted, but not shown')
    },
    get total() {
      return total
    },
    byKind,
  }
}
