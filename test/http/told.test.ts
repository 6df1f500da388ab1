/** Statements of docs/api.md about names, lists and replies. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { createWorld, SERVER_KEY, type World } from './world.ts'

let world: World
beforeAll(async () => void (world = await createWorld()))
afterAll(() => world.close())

const v1 = (method: string, path: string, as: string, body?: unknown) =>
  world.call(method, `/api/v1${path}`, { as, body })

test('a handle that was given up stays taken, but for the account that had it', async () => {
  await world.person('first')
  await world.person('second')
  const rename = (account: string, handle: string) =>
    v1('PUT', `/accounts/ext:${account}`, SERVER_KEY, { handle })
  expect((await rename('first', 'newname')).json.handle).toBe('newname')
  for (const handle of ['first', 'FIRST'])
    expect((await rename('second', handle)).json).toMatchObject({ code: 'handle_taken' })
  expect((await rename('first', 'first')).json.handle).toBe('first')
  expect((await rename('second', 'newname')).json).toMatchObject({ code: 'handle_taken' })
})

test('followers are listed by their accounts, not by when they followed, page by page', async () => {
  const people = []
  for (const name of ['early', 'middle', 'late', 'followed']) people.push(await world.person(name))
  const [early, middle, late, followed] = people
  for (const { token } of [late, early, middle]) await v1('PUT', `/accounts/${followed.id}/follow`, token)
  const seen: string[] = []
  for (let cursor: string | null = ''; cursor !== null;) {
    const query: string = cursor === '' ? '' : `&cursor=${cursor}`
    const page = (await v1('GET', `/accounts/${followed.id}/followers?limit=1${query}`, SERVER_KEY)).json
    seen.push(...page.accounts.map(({ handle }: { handle: string }) => handle))
    cursor = page.next_cursor
  }
  expect(seen).toEqual(['early', 'middle', 'late'])
})

test('a reply reaches those of its author’s followers who also follow whom it answers', async () => {
  const [asker, answerer, both, onlyAnswerer, onlyAsker] = await Promise.all(
    ['asker', 'answerer', 'both', 'onlyanswerer', 'onlyasker'].map((name) => world.person(name)),
  )
  const follow = (who: { token: string }, whom: { id: string }) =>
    v1('PUT', `/accounts/${whom.id}/follow`, who.token)
  await follow(both, asker)
  await follow(both, answerer)
  await follow(onlyAnswerer, answerer)
  await follow(onlyAsker, asker)
  await follow(asker, answerer)
  const post = async (who: { token: string }, body: object): Promise<string> =>
    (await v1('POST', '/posts', who.token, body)).json.id
  const question = await post(asker, { content: 'Why?' })
  const answer = await post(answerer, { content: 'Because.', reply_to: question })
  const more = await post(answerer, { content: 'And so.', reply_to: answer })
  await world.rivulet.settle()
  const sees = async ({ token }: { token: string }) => {
    const { posts } = (await v1('GET', '/feed', token)).json as { posts: { id: string }[] }
    const ids = posts.map(({ id }) => id)
    return [answer, more].map((id) => ids.includes(id))
  }
  expect(await sees(answerer)).toEqual([true, true])
  expect(await sees(both)).toEqual([true, true])
  // It is the answer's target.
  expect(await sees(asker)).toEqual([true, true])
  expect(await sees(onlyAnswerer)).toEqual([false, true])
  expect(await sees(onlyAsker)).toEqual([false, false])
})
