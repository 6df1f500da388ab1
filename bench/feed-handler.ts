/** Calls the feed's handler without HTTP, one call after the other: it runs the read pipeline and encodes the page. */

import { createRenderer, feedRest } from '../src/feed/render.ts'
import { openEngineWorld, writeFollowing } from './engine-world.ts'

const POSTS_AN_AUTHOR = 3
const CONTENT =
  'What people write when they have something to say, and it takes a line or two to say it well. '.repeat(4)

export async function feedPageOf(
  followees: number,
  pulled: number,
  quick: boolean,
): Promise<{ perS: number }> {
  const world = await openEngineWorld()
  try {
    const { graph, feed, settle } = world.rivulet
    const reader = (await graph.commands.createAccount({})).number
    const authors: number[] = []
    for (let i = 0; i < followees; i++)
      authors.push((await graph.commands.createAccount({ handle: `author${i}` })).number)
    for (const author of authors.slice(0, pulled)) await graph.commands.setTier(author, 'pull')
    await writeFollowing(world.store, reader, authors)
    for (let round = 0; round < POSTS_AN_AUTHOR; round++) {
      for (const author of authors) await feed.commands.post(author, { content: CONTENT })
    }
    await feed.commands.post(authors[0], { content: CONTENT })
    const render = createRenderer(graph.accounts, feed.likes)
    const read = async () => {
      const page = await feed.reads.home(reader, { limit: 20 })
      return render.posts(page.items, page.circle, feedRest(page))
    }
    await read()
    await settle()
    for (let i = 0; i < 2_000; i++) await read()
    const startMs = performance.now()
    let count = 0
    for (const endMs = startMs + (quick ? 1_000 : 4_000); performance.now() < endMs; count++) await read()
    return { perS: (count / (performance.now() - startMs)) * 1_000 }
  } finally {
    await world.close()
  }
}
