/**
 * Audiences: everybody who is to be told of an event, such as the followers of an author, the members of a channel or
 * the subscribers of a list. A domain implements `Audience` over its own rows. Members are account numbers, in packed
 * arrays; there is never an object for a member.
 */

export interface Audience {
  /** The buckets of several audiences, without their members where these lie elsewhere. */
  partsOf(keys: readonly number[]): Promise<readonly (readonly AudiencePart[])[]>
  /**
   * The members in key ranges: for each range one array without duplicates, even if rows split or moved since the range
   * was named. A member who joined meanwhile may be among them; one who left may be missing.
   */
  membersIn(ranges: readonly KeyedRange[]): Promise<readonly Uint32Array[]>
}

/** One bucket of an audience: it holds few members itself, or says where the key ranges of many begin. */
export interface AudiencePart {
  readonly bucket: number
  readonly size: number
  /** All members of the bucket, where `starts` is empty. */
  readonly members: Uint32Array
  /** Ascending; the first is 0. Each range ends where the next one begins. */
  readonly starts: Uint32Array
}

/**
 * Members of a bucket from `from` to below `to`, which may be `Infinity`. Plans name ranges and not rows, so that rows may split while a plan
 * runs.
 */
export interface MemberRange {
  readonly bucket: number
  readonly from: number
  readonly to: number
}

export interface KeyedRange extends MemberRange {
  /** The audience's key. */
  readonly key: number
}

const BUCKET_END = 2 ** 32

export const sizeOf = (parts: readonly AudiencePart[]): number =>
  parts.reduce((sum, { size }) => sum + size, 0)

export function rangesOf({ bucket, starts }: AudiencePart): MemberRange[] {
  if (starts.length === 0) return [{ bucket, from: 0, to: BUCKET_END }]
  return Array.from(starts, (from, i) => ({ bucket, from, to: starts[i + 1] ?? BUCKET_END }))
}

/** The members of several audiences, each as a list of pieces. All those that parts do not hold are read at once. */
export async function membersOf(
  audience: Audience,
  keys: readonly number[],
  parts: readonly (readonly AudiencePart[])[],
): Promise<Uint32Array[][]> {
  const pieces = keys.map((): Uint32Array[] => [])
  const elsewhere: KeyedRange[] = []
  const owners: Uint32Array[][] = []
  keys.forEach((key, i) => {
    for (const part of parts[i]) {
      if (part.starts.length === 0) pieces[i].push(part.members)
      else
        for (const { bucket, from, to } of rangesOf(part)) {
          elsewhere.push({ key, bucket, from, to })
          owners.push(pieces[i])
        }
    }
  })
  if (elsewhere.length === 0) return pieces
  const read = await audience.membersIn(elsewhere)
  read.forEach((numbers, i) => owners[i].push(numbers))
  return pieces
}
