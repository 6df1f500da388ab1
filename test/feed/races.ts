/**
 * Two commands at the same moment. The log decides which came first. Where both orders are possible, the model takes
 * over what the engine says of the pair, and feeds and counts are compared with that. What holds in either order the
 * model checks itself: nobody follows across a block.
 */

import { includesSorted } from '../../src/core/sorted.ts'
import { follows, isMuted } from '../../src/graph/index.ts'
import type { OraclePost } from '../../src/feed/oracle.ts'
import type { Model } from '../support/model.ts'
import type { Machine } from './machine.ts'
import type { Racer } from './steps.ts'

interface Op {
  readonly kind: Racer
  readonly by: number
  readonly of: number
}

type Attempt = (task: () => Promise<unknown>) => Promise<boolean>

export interface Races {
  /** Each racer is a command of `one` about `other`, or the other way round. The second starts after some turns. */
  pair(
    one: number,
    other: number,
    racers: readonly (readonly [Racer, boolean])[],
    turns: number,
  ): Promise<void>
  /** Runs `answer`, a reply to the post or a repost, while its author deletes it or blocks `by`, or `by` follows. */
  atPost(
    by: number,
    target: OraclePost,
    what: 'delete' | 'block' | 'follow',
    turns: number,
    answer: (by: number) => Promise<boolean>,
  ): Promise<void>
}

export function createRaces(machine: Machine, model: Model, attempt: Attempt): Races {
  const { driven } = machine

  function start({ kind, by, of }: Op): Promise<unknown> {
    const { commands } = machine.rivulet.graph
    if (kind === 'follow') return commands.follow(by, of)
    if (kind === 'unfollow') return commands.unfollow(by, of)
    if (kind === 'block' || kind === 'unblock') return commands.block(by, of, kind === 'block')
    return commands.mute(by, of, kind === 'mute')
  }

  async function after(turns: number, task: () => Promise<boolean>): Promise<boolean> {
    for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => void setImmediate(resolve))
    return task()
  }

  async function pair(
    one: number,
    other: number,
    racers: readonly (readonly [Racer, boolean])[],
    turns: number,
  ): Promise<void> {
    if (one === other) return
    const ops = racers.map(([kind, isBack]): Op =>
      isBack ? { kind, by: other, of: one } : { kind, by: one, of: other },
    )
    const done = await Promise.all(ops.map((op, i) => after(i * turns, () => attempt(() => start(op)))))
    await machine.fresh?.()
    for (const [by, of] of [
      [one, other],
      [other, one],
    ]) {
      const of1 = ops.filter((op, i) => done[i] && op.by === by && op.of === of).map(({ kind }) => kind)
      await tellBlocks(by, of, of1)
      await tellMutes(by, of, of1)
    }
    for (const [by, of] of [
      [one, other],
      [other, one],
    ]) {
      await tellFollows(
        by,
        of,
        ops.filter((op, i) => done[i] && op.by === by && op.of === of).map(({ kind }) => kind),
      )
    }
  }

  const circle = (number: number) => driven(Promise.resolve(machine.rivulet.graph.circles.of(number)))

  async function tellBlocks(by: number, of: number, kinds: readonly Racer[]): Promise<void> {
    if (kinds.includes('block')) model.block(by, of)
    if (!kinds.includes('unblock')) return
    if (!kinds.includes('block') || !includesSorted((await circle(by)).blocking, of)) model.unblock(by, of)
  }

  async function tellMutes(by: number, of: number, kinds: readonly Racer[]): Promise<void> {
    if (kinds.includes('mute') && kinds.includes('unmute')) model.mute(by, of, isMuted(await circle(by), of))
    else if (kinds.includes('mute')) model.mute(by, of, true)
    else if (kinds.includes('unmute')) model.mute(by, of, false)
  }

  async function tellFollows(by: number, of: number, kinds: readonly Racer[]): Promise<void> {
    if (model.blocked(by, of)) return
    const isBoth = kinds.includes('follow') && kinds.includes('unfollow')
    const isOn = isBoth ? follows(await circle(by), of) : kinds.includes('follow')
    if (isOn) model.follow(by, of)
    else if (kinds.includes('unfollow')) model.unfollow(by, of)
  }

  async function atPost(
    by: number,
    target: OraclePost,
    what: 'delete' | 'block' | 'follow',
    turns: number,
    answer: (by: number) => Promise<boolean>,
  ): Promise<void> {
    const { author, id } = target
    if (what !== 'delete' && by === author) return
    const act = () =>
      what === 'delete'
        ? machine.rivulet.feed.commands.delete(author, id)
        : start(what === 'block' ? { kind: 'block', by: author, of: by } : { kind: 'follow', by, of: author })
    const [done] = await Promise.all([attempt(act), after(turns, () => answer(by))])
    if (!done) return
    if (what === 'delete') model.delete(id)
    else if (what === 'block') model.block(author, by)
    else model.follow(by, author)
  }

  return { pair, atPost }
}
