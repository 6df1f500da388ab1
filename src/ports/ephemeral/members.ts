/**
 * Sets whose members die one by one. A member counts as one key. All members of all sets are also in one map that is
 * swept, so that dead members go even if nobody asks for their set.
 */

import { LivingMap, type Mortal, type Room } from './living.ts'

interface Member extends Mortal {
  readonly set: string
  readonly name: string
}

export class MemberSets {
  private readonly sets = new Map<string, Map<string, Member>>()
  private readonly all: LivingMap<Member>

  constructor(room: Room) {
    this.all = new LivingMap(room, (member) => this.unlink(member))
  }

  join(set: string, name: string, expiresAtMs: number, nowMs: number): void {
    const member = this.all.get(memberKey(set, name), nowMs)
    if (member !== undefined) {
      member.expiresAtMs = expiresAtMs
      return
    }
    const added = { set, name, expiresAtMs }
    this.all.add(memberKey(set, name), added, nowMs)
    const members = this.sets.get(set)
    if (members === undefined) this.sets.set(set, new Map([[name, added]]))
    else members.set(name, added)
  }

  leave(set: string, name: string): void {
    this.all.delete(memberKey(set, name))
  }

  living(set: string, limit: number, nowMs: number): string[] {
    const names: string[] = []
    for (const member of this.sets.get(set)?.values() ?? []) {
      if (names.length >= limit) break
      if (member.expiresAtMs > nowMs) names.push(member.name)
      else this.leave(set, member.name)
    }
    return names
  }

  private unlink({ set, name }: Member): void {
    const members = this.sets.get(set)
    members?.delete(name)
    if (members?.size === 0) this.sets.delete(set)
  }
}

/** The length keeps `a` + `bc` apart from `ab` + `c`. */
const memberKey = (set: string, name: string): string => `${set.length}:${set}${name}`
