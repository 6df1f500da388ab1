/** Who lives in the demo world: names made up from two lists, and two accounts that have a part to play. */

export interface Person {
  /** Both the handle and the external id. */
  readonly handle: string
  readonly displayName: string
  readonly bio: string | undefined
}

/** Followed by nearly everybody: above the demo's push threshold, so that her posts are pulled. */
export const STAR: Person = {
  handle: 'nova',
  displayName: 'Nova Lindqvist',
  bio: 'Astronomer. One picture of the sky a day.',
}
/** Whose token is printed. She does not follow the star yet. */
export const GUEST: Person = {
  handle: 'maya',
  displayName: 'Maya Okafor',
  bio: 'Bread, trains, rivers.',
}

const words = (text: string): string[] => text.trim().split(/\s+/)

const FIRST = words(`
  Amara Anders Beatriz Bo Carla Chidi Dana Dmitri Elena Emeka Farah Finn Greta Hana Hugo Ines Ivan
  Jonas Kaya Kenji Laila Leo Lucia Malik Marta Mei Nadia Nils Olga Omar Paolo Priya Quinn Rafael Rosa
  Samir Sofia Tariq Tomas Uma Vera Wanda Xenia Yusuf Yuki Zara
`)
const LAST = words(`
  Abara Berg Castro Dahl Ekberg Fontana Grau Haas Ito Jensen Kovac Larsen Mbeki Novak Okoye Park
  Quiroga Rossi Sato Tanaka Ueda Vargas Weber Young
`)

/** The star first, then the guest, then the others; always the same. The lists give 552 pairs before one comes again. */
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
