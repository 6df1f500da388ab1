/** The accounts of the demo world: a star, a guest, and others with names of two words. */

export interface Person {
  /** Both the handle and the external id. */
  readonly handle: string
  readonly displayName: string
  readonly bio: string | undefined
}

/** Followed by nearly everybody: above the demo's push threshold, so that its posts are pulled. */
export const STAR: Person = {
  handle: 'nova',
  displayName: 'Nova Observatory',
  bio: 'One picture of the sky a day.',
}
/** The account whose token is printed, to try things with. It does not follow the star yet. */
export const GUEST: Person = {
  handle: 'guest',
  displayName: 'Guest',
  bio: 'Bread, trains, rivers.',
}

const words = (text: string): string[] => text.trim().split(/\s+/)

const FIRST = words(`
  Amber Ashen Blue Brisk Calm Coral Dusty Early Faint Golden Green Hazel Indigo Ivory Jolly Lilac Lunar
  Misty Mossy Nimble Olive Quiet Russet Silver
`)
const LAST = words(`
  Badger Beaver Bison Crane Dove Falcon Finch Gecko Heron Ibis Jackal Kestrel Lark Lynx Marten Newt Otter Owl
  Puffin Quail Raven Seal Wren
`)

/** The star, the guest, then the others: the same ones every time. The lists give 552 names before one repeats. */
export function makePeople(count: number): Person[] {
  const people = [STAR, GUEST]
  for (let i = 0; people.length < count; i++) {
    const first = FIRST[i % FIRST.length]
    const last = LAST[i % LAST.length]
    people.push({
      handle: `${first}_${last}`.toLowerCase(),
      displayName: `${first} ${last}`,
      bio: undefined,
    })
  }
  return people
}
