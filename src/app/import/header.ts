/**
 * Decides whether the first row of an edge list is a header. Any text may be an external id, so the row is taken for a
 * header only if both cells are well-known names of such columns, and for an edge only if nothing suggests a header. A
 * header taken for an edge would create two accounts that belong to nobody; an edge taken for a header would be lost.
 * All other cases are `unclear`, and whoever runs the import decides.
 */

export type Pair = readonly [string, string]

export type Verdict =
  /** `follower` and `followee` are places in the row. */
  | { readonly kind: 'header'; readonly follower: 0 | 1; readonly followee: 0 | 1 }
  /** `isPlain`: both cells are plain words, which could also be names of columns. */
  | { readonly kind: 'edge'; readonly isPlain: boolean }
  | { readonly kind: 'unclear'; readonly why: string }

/** Words that may surround those below: `source_id`, `FromNodeId`, `user.name`. */
const NOUN =
  '(?:ids?|uids?|users?|accounts?|persons?|people|members?|profiles?|nodes?|vertex|vertices|actors?|names?|handles?|logins?)'
const named = (words: string) => new RegExp(`^${NOUN}*(?:${words})${NOUN}*$`)
const ROLES = {
  follower: named('followers?|subscribers?|fans?'),
  followee: named('followees?|followed|following|follows|friends?'),
  from: named('source|src|from|start|origin|sender'),
  to: named('target|tgt|destination|dest|dst|to|end|receiver|recipient'),
  noun: new RegExp(`^${NOUN}+$`),
} as const
type Role = keyof typeof ROLES

/** Longer cells are not taken for names of columns. */
const NAME_CHARS_MAX = 40
/** Names of an edge's ends in mathematics. */
const ENDS: readonly Pair[] = [
  ['u', 'v'],
  ['i', 'j'],
  ['s', 't'],
]

/** `From-Node ID` → `fromnodeid` */
const compact = (cell: string): string => cell.toLowerCase().replace(/[\s_.:-]+/g, '')

function roleOf(cell: string): Role | undefined {
  if (cell.length > NAME_CHARS_MAX) return undefined
  const word = compact(cell)
  return (Object.keys(ROLES) as Role[]).find((role) => ROLES[role].test(word))
}

/** @param rest some of the rows after the first */
export function judgeFirstRow(first: Pair, rest: readonly Pair[]): Verdict {
  // A file that was joined from several repeats its header.
  const others = rest.filter(([one, other]) => one !== first[0] || other !== first[1])
  const known = knownHeader(first, others)
  const recurring = first.find((cell) => others.some((row) => row.includes(cell)))
  if (known !== undefined && recurring === undefined) return known
  if (known !== undefined)
    return {
      kind: 'unclear',
      why: `it has the names of columns, but ${quote(recurring)} is an id further down`,
    }
  if (recurring !== undefined) return { kind: 'edge', isPlain: false }
  const name = first.find((cell) => roleOf(cell) !== undefined)
  if (name !== undefined) return { kind: 'unclear', why: `${quote(name)} may be the name of a column` }
  if (ENDS.some(([u, v]) => compact(first[0]) === u && compact(first[1]) === v))
    return { kind: 'unclear', why: 'both may be names of columns' }
  const difference = differenceOf(first, others.flat())
  if (difference !== undefined) return { kind: 'unclear', why: difference }
  return { kind: 'edge', isPlain: first.every((cell) => /^[\p{L}\s_.-]+$/u.test(cell)) }
}

/** The verdict for pairs of well-known names; their roles tell which column is the follower. */
function knownHeader(first: Pair, others: readonly Pair[]): Verdict | undefined {
  const [one, other] = [roleOf(first[0]), roleOf(first[1])]
  const asGiven = { kind: 'header', follower: 0, followee: 1 } as const
  const turned = { kind: 'header', follower: 1, followee: 0 } as const
  const isLeft = (role: Role | undefined) => role === 'follower' || role === 'from'
  const isRight = (role: Role | undefined) => role === 'followee' || role === 'to'
  if (isLeft(one) && isRight(other)) return asGiven
  if (isRight(one) && isLeft(other)) return turned
  // In `user_id,follower_id`, the first column is the followee.
  if (one === 'noun' && (other === 'followee' || other === 'follower'))
    return other === 'followee' ? asGiven : turned
  if (other === 'noun' && (one === 'followee' || one === 'follower'))
    return one === 'follower' ? asGiven : turned
  // As an edge, twice the same name would be an account that follows itself.
  if (one === 'noun' && first[0] === first[1]) return asGiven
  return areNumbered(first, others) ? asGiven : undefined
}

/** `id_1,id_2`, `node1,node2`, `Person1Id,Person2Id`; but not if ids of the file have that form, too. */
function areNumbered(first: Pair, others: readonly Pair[]): boolean {
  const [one, other] = [markedName(first[0]), markedName(first[1])]
  if (one === undefined || one.stem !== other?.stem) return false
  const marks = one.mark + other.mark
  if (!/^([0-9]{2}|ab|ij|uv|xy)$/.test(marks) || one.mark === other.mark) return false
  const isAlike = (cell: string) =>
    markedName(cell)?.stem === one.stem || compact(cell).replace(/[0-9]+/, '') === one.stem
  return !others.some((row) => row.some(isAlike))
}

/** Splits a name such as `id_1` or `node_a` into the name and the mark that tells it from the other one. */
function markedName(cell: string): { stem: string; mark: string } | undefined {
  if (cell.length > NAME_CHARS_MAX) return undefined
  const parts = /^(\D*)([0-9])(\D*)$/.exec(cell) ?? /^(.*[\s_.:-])([a-z])()$/i.exec(cell)
  if (parts === null) return undefined
  const stem = compact(parts[1] + parts[3])
  const isName = ROLES.noun.test(stem) && /id|node|vertex/.test(stem)
  return isName ? { stem, mark: parts[2].toLowerCase() } : undefined
}

/** Features that usually all ids of a list have, or none. */
const SIGNS: readonly (readonly [pattern: RegExp, what: string])[] = [
  [/^[0-9]+$/, 'numbers'],
  [/[0-9]/, 'with digits'],
  [/@/, 'with @'],
  [/[/:]/, 'addresses'],
  [/\p{Lu}/u, 'with capitals'],
]

/** A feature that all cells of the other rows have and the first row lacks (or the reverse); else `undefined`. */
function differenceOf(first: Pair, cells: readonly string[]): string | undefined {
  if (cells.length === 0 || !first.every((cell) => /^[\p{L}_:]/u.test(cell))) return undefined
  for (const [pattern, what] of SIGNS) {
    const has = (cell: string) => pattern.test(cell)
    if (cells.every(has) && !first.some(has)) return `the rows that follow are ${what}, and it is not`
  }
  const hasCapital = (cell: string) => /\p{Lu}/u.test(cell)
  if (first.every(hasCapital) && !cells.some(hasCapital))
    return 'it has capitals, and the rows that follow have none'
  return undefined
}

/** A cell for a message: shortened and escaped, since it may hold any text. */
export function quote(cell = ''): string {
  return JSON.stringify(cell.length > NAME_CHARS_MAX ? `${cell.slice(0, NAME_CHARS_MAX)}…` : cell)
}
