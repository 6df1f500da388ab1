/** Finds the known name that somebody probably meant to type. */

const DISTANCE_MAX = 3

/**
 * @returns the known name that is a few typing errors away from `name`; else one that has the same words and more, or
 * the same words and fewer (`kafka_brokers` for `kafka`); nothing where neither is known
 */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const given = name.toLowerCase()
  const ranked = known
    .map((candidate) => ({ candidate, distance: distance(given, candidate.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance)
  const [best] = ranked
  if (best !== undefined && best.distance <= distanceMax(given)) return best.candidate
  const byLength = known.toSorted((a, b) => b.length - a.length)
  return (
    byLength.find((candidate) => given.startsWith(`${candidate.toLowerCase()}_`)) ??
    byLength.findLast((candidate) => candidate.toLowerCase().startsWith(`${given}_`))
  )
}

/** Fewer errors for short names, because these differ from each other by a few letters only. */
const distanceMax = (name: string): number => Math.min(DISTANCE_MAX, Math.ceil(name.length / 2))

/** The Levenshtein distance: how many letters to insert, remove or replace. */
function distance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, i) => i)
  for (let i = 0; i < one.length; i++) {
    const next = [i + 1]
    for (let j = 0; j < other.length; j++) {
      const replaced = row[j] + (one[i] === other[j] ? 0 : 1)
      next.push(Math.min(replaced, row[j + 1] + 1, next[j] + 1))
    }
    row = next
  }
  return row[other.length]
}
