/** Each rule of the home feed removes exactly the post that it should, under its own name; `why` gives the same name. */

import { expect, test } from 'vitest'
import { startEngine, type TestEngine } from '../../support/engine.ts'
import { RULE_CASES } from './rule-cases.ts'

/** How many candidates each rule has removed so far; rules that removed none are left out. */
function removedBy({ rivulet }: TestEngine): Record<string, number> {
  const { rules, counts } = rivulet.feed.removed
  return Object.fromEntries(rules.map((rule, at) => [rule, counts[at]]).filter(([, count]) => count !== 0))
}

/** Builds the world of a rule and reads one page. */
async function readCase(rule: string, decisive: boolean) {
  const engine = await startEngine()
  const { reader, post, after } = await RULE_CASES[rule](engine, decisive)
  await engine.rivulet.settle()
  const before = removedBy(engine)
  const page = await engine.rivulet.feed.reads.home(reader, { limit: 20, after })
  const removed = removedBy(engine)
  const why = await engine.rivulet.feed.reads.why(reader, post)
  // An explanation is no page: nothing is counted for it.
  expect(removedBy(engine)).toEqual(removed)
  await engine.rivulet.stop()
  expect({ before, gap: page.gap }).toEqual({ before: {}, gap: false })
  return { isShown: page.items.some(({ id }) => id === post), removed, why }
}

test('every rule has a case, and every case a rule', async () => {
  const { rivulet } = await startEngine()
  expect(Object.keys(RULE_CASES).sort()).toEqual([...rivulet.feed.removed.rules].sort())
})

/** Rules of a session: `why` knows of none. */
const OF_SESSIONS = ['already_served']
const stageOf = (rule: string) =>
  rule === 'missing' ? 'hydrate' : ['blocked', 'not_followed', 'muted'].includes(rule) ? 'early' : 'filters'

test.for(Object.keys(RULE_CASES))('%s removes the post, and nothing else does', async (rule) => {
  const { isShown, removed, why } = await readCase(rule, true)
  expect({ isShown, removed }).toEqual({ isShown: false, removed: { [rule]: 1 } })
  const kept = { stage: 'kept', rule: null }
  expect(why).toEqual(OF_SESSIONS.includes(rule) ? kept : { stage: stageOf(rule), rule })
})

test.for(Object.keys(RULE_CASES))('without what %s is about, the post stays', async (rule) => {
  const { isShown, removed, why } = await readCase(rule, false)
  expect({ isShown, removed, why }).toEqual({
    isShown: true,
    removed: {},
    why: { stage: 'kept', rule: null },
  })
})

test('where no source gives a post, why names the rule that the source anticipated', async () => {
  const { rivulet, people, post } = await startEngine()
  const [reader, author, stranger] = await people(3)
  const { commands } = rivulet.graph
  await commands.follow(reader, author)
  const ofStranger = await post(stranger)
  const deleted = await post(author)
  await rivulet.feed.commands.delete(author, deleted)
  const ofMuted = await post(author)
  await commands.mute(reader, author, true)
  const { why } = rivulet.feed.reads
  expect(await why(reader, ofStranger)).toEqual({ stage: 'sources', rule: 'not_followed' })
  expect(await why(stranger, deleted)).toEqual({ stage: 'sources', rule: 'not_followed' })
  expect(await why(author, deleted)).toEqual({ stage: 'sources', rule: 'deleted' })
  expect(await why(reader, ofMuted)).toEqual({ stage: 'sources', rule: 'muted' })
  expect(await why(reader, ofMuted + 1)).toEqual({ stage: 'sources', rule: 'missing' })
})

test('why tells that a post is on its way to the timeline', async () => {
  const { rivulet, people, post, ids, views } = await startEngine()
  const [reader, author] = await people(2)
  await rivulet.graph.commands.follow(reader, author)
  await ids(reader)
  await rivulet.settle()
  const insert = views.insert.bind(views)
  let release = () => {}
  const released = new Promise<void>((resolve) => (release = resolve))
  Object.assign(views, {
    insert: async (spreads: Parameters<typeof insert>[0]) => {
      await released
      return insert(spreads)
    },
  })
  const id = await post(author)
  const { why } = rivulet.feed.reads
  expect(await why(reader, id)).toEqual({ stage: 'sources', rule: 'not_fanned_out' })
  release()
  await rivulet.settle()
  expect(await why(reader, id)).toEqual({ stage: 'kept', rule: null })
})
