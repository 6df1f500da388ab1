/**
 * Fills a new folder with the demo world. People, follows and posts are imported, with times of the past days; names,
 * replies, reposts and the lowered push threshold go through the engine. If it is interrupted, the next start goes on
 * with it; the note `demo.json` says that the world is complete.
 */

import { accountsTable } from '../../graph/index.ts'
import type { Rivulet } from '../rivulet.ts'
import type { Composed } from '../server/compose.ts'
import { runImport } from '../import/import.ts'
import type { Progress } from '../import/progress.ts'
import { importsTable } from '../import/tables.ts'
import type { Notes } from '../ports/notes.ts'
import { demoSteps } from '../first-steps.ts'
import { noteImport } from '../ports/open.ts'
import type { OpenPorts } from '../ports/parts.ts'
import { DONE_NOTE } from './done-note.ts'
import { GUEST, STAR } from './people.ts'
import { demoSource, IMPORT_NAME } from './source.ts'
import { guestToken } from './view.ts'
import { DEMO_PUSH_THRESHOLD, makeWorld, type DemoAction, type DemoWorld } from './world.ts'

/** Imports people, follows and posts: the part that `compose` runs before it starts the engine (`prepare`). */
export function loadDemoFiles(progress: Progress, onFatal: (error: unknown) => void) {
  return async (ports: OpenPorts): Promise<void> => {
    if ((await ports.notes.read(DONE_NOTE)) !== undefined || (await holdsOtherData(ports))) return
    const ui = { progress, notice: () => undefined, onFatal }
    await runImport(ports, demoSource(makeWorld()), ui)
    await noteImport(ports)
  }
}

async function holdsOtherData({ store }: OpenPorts): Promise<boolean> {
  const [begun] = await store.get([importsTable.key(IMPORT_NAME)])
  return begun === undefined && (await store.scan(accountsTable, undefined, 1)).length > 0
}

/** Completes the world through the running engine, if its import was begun in this folder. */
export async function loadDemo(rivulet: Rivulet, notes: Notes): Promise<void> {
  if ((await notes.read(DONE_NOTE)) !== undefined) return
  // A folder that held other data before was not imported into. Its accounts may have the same names; leave them alone.
  const [begun] = await rivulet.engine.store.get([importsTable.key(IMPORT_NAME)])
  if (begun === undefined) return
  const world = makeWorld()
  await rivulet.graph.commands.setPolicy({ push_threshold_followers: DEMO_PUSH_THRESHOLD })
  await Promise.all(world.people.map((person) => rivulet.graph.commands.putAccount(person.handle, person)))
  await act(rivulet, world)
  await rivulet.settle()
  await notes.keep(DONE_NOTE, () => JSON.stringify({ guest: GUEST.handle, star: STAR.handle }))
}

const numberOf = async ({ graph }: Rivulet, handle: string): Promise<number | undefined> =>
  (await graph.reads.byExternalId(handle))?.number

/**
 * Carries out each person's actions in order, without those that an interrupted load did already (they are counted).
 * The star's posts come last, so that they are the newest ones: a new follower sees them on the first page.
 */
async function act(rivulet: Rivulet, { actions, posts }: DemoWorld): Promise<void> {
  const { [STAR.handle]: ofStar = [], ...others } = byActor(actions)
  const actAs = async ([handle, own]: [string, DemoAction[]]) => {
    const number = (await numberOf(rivulet, handle)) ?? 0
    const imported = posts.filter(({ author }) => author === handle).length
    const done = (await rivulet.feed.reads.postsCount(number)) - imported
    for (const action of own.slice(done)) await actOnce(rivulet, number, action)
  }
  await Promise.all(Object.entries(others).map(actAs))
  await actAs([STAR.handle, ofStar])
}

function byActor(actions: readonly DemoAction[]): Record<string, DemoAction[]> {
  const groups: Record<string, DemoAction[]> = {}
  for (const action of actions) (groups[action.by] ??= []).push(action)
  return groups
}

async function actOnce(rivulet: Rivulet, author: number, action: DemoAction): Promise<void> {
  const { commands } = rivulet.feed
  if (action.kind === 'post') {
    await commands.post(author, { content: action.content })
    return
  }
  const target = await newestPost(rivulet, action.kind === 'reply' ? action.to : action.of)
  if (target === undefined) return
  if (action.kind === 'reply') await commands.post(author, { content: action.content, replyTo: target })
  else await commands.post(author, { repostOf: target })
}

async function newestPost(rivulet: Rivulet, handle: string): Promise<number | undefined> {
  const number = await numberOf(rivulet, handle)
  if (number === undefined) return undefined
  const { items } = await rivulet.feed.reads.profile(number, undefined, 20)
  return items.find(({ post }) => post.repostOf === 0 && post.replyTo === 0)?.id
}

/** Lines for the terminal: commands to try in the demo world, or why it is not there. */
export async function demoHints({ app, keys, notes }: Composed, url: string): Promise<string[]> {
  const token = await guestToken({ app, notes, serverKey: keys.serverKey })
  if (token === undefined)
    return [
      '',
      'This folder held data before, so the demo world was not added. To have one, name a new folder with --data.',
    ]
  const steps = demoSteps(url, STAR.handle).flatMap(({ what, commands }) => [
    `${what}:`,
    ...commands.map((command) => `  ${command}`),
  ])
  return ['', `Try it as @${GUEST.handle}:`, `  export TOKEN=${token}`, ...steps, '']
}
