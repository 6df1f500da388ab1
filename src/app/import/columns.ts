/** Columns of a line, and whether a first line names them. */

/** The columns of one line, trimmed; quotes as in RFC 4180, within the line. `undefined`: a quote is left open. */
export function splitColumns(line: string, separator: string): string[] | undefined {
  if (!line.includes('"')) return trimAll(line.split(separator))
  const columns: string[] = []
  for (let at = 0; at <= line.length;) {
    const quoted = /^\s*"((?:[^"]|"")*)"\s*/.exec(line.slice(at))
    let end = line.indexOf(separator, at)
    if (end < 0) end = line.length
    if (quoted === null) columns.push(line.slice(at, end).trim())
    else {
      end = at + quoted[0].length
      if (end < line.length && line[end] !== separator) return undefined
      columns.push(quoted[1].replaceAll('""', '"'))
    }
    at = end + 1
  }
  return columns.some((column) => column.startsWith('"')) ? undefined : columns
}

/** In place: this is done for every row of a file. */
function trimAll(columns: string[]): string[] {
  for (let i = 0; i < columns.length; i++) columns[i] = columns[i].trim()
  return columns
}

/** Names that programs give to the two columns of an edge list. */
const COLUMN_NAME =
  /^(?:id|node|user|account|source|target|src|dst|from|to|follower|followee|followed|following|person|author)s?(?:[ _.-]?(?:id|[0-9a-z]))?$/i

/**
 * Any text may be an external id, so a header is told by two signs: both columns have a name that columns have;
 * or neither begins with a digit while both of the next row are numbers.
 */
export function isHeader(first: readonly string[], second: readonly string[] | undefined): boolean {
  if (first.length !== 2) return false
  if (first.every((column) => COLUMN_NAME.test(column))) return true
  const isNumber = (text: string) => /^[0-9]+$/.test(text)
  const isWord = (text: string) => /^[^0-9\s][^0-9]*/.test(text)
  return second?.length === 2 && second.every(isNumber) && first.every(isWord)
}
