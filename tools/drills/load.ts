/**
 * A small world of accounts, and a steady load on it. Operations begin when they are due, even if earlier ones have no
 * answer yet: so a slow answer is measured in full and delays no other operation.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import type { Client } from './client.ts'
import { createHistory, mustBeThere, type History } from './history.ts'
import { createOperations, nameOf, type Operations, type Person } from './operations.ts'
import { createRoutes, type Routes } from './routes.ts'

export interface World {
  /** One for each API process. */
  readonly clients: readonly Client[]
  readonly routes: Routes
  readonly people: readonly Person[]
  readonly history: History
  readonly operations: Operations
}

export interface Load {
  /** Number of operations that were left out, because too many were under way when they were due. */
  readonly leftOut: number
  /** `stop` also waits for this task. */
  track(task: Promise<unknown>): void
  /** Ends the load. Resolves when the last answer has come. */
  stop(): Promise<void>
}

const PEOPLE = 20
/** All people follow the first one, whose posts are pulled. The others have fewer followers, and are pushed. */
const PUSH_THRESHOLD_FOLLOWERS = 12
const FOLLOWEES = 6
const MOVING_EDGES = 16
const PER_SECOND = 30
const IN_FLIGHT_MAX = 800
const PAGES_MAX = 3
const KNOWN_WITHIN_MS = 60_000
const LOOK_MS = 100

const random = (end: number): number => Math.floor(Math.random() * end)

export async function makeWorld(clients: readonly Client[]): Promise<World> {
  const [client] = clients
  const must = async (method: string, path: string, body?: object) => {
    const answer = await client.call(method, path, body === undefined ? {} : { body })
    if (answer.outcome !== 'ok') throw new Error(`${method} ${path}: ${answer.status} ${answer.code}`)
    return answer.json
  }
  await must('PATCH', '/admin/policy', { push_threshold_followers: PUSH_THRESHOLD_FOLLOWERS })
  const people: Person[] = []
  for (let number = 0; number < PEOPLE; number++) {
    const name = nameOf(number)
    await must('PUT', `/accounts/ext:${name}`, { display_name: name })
    const { token } = await must('POST', '/tokens', { account_id: `ext:${name}` })
    people.push({ number, name, token })
  }
  const history = createHistory()
  const routes = createRoutes(clients)
  const operations = createOperations(routes, people, history)
  const world = { clients, routes, people, history, operations }
  await knownToAll(world)
  for (const { number: reader } of people) {
    const authors = Array.from({ length: FOLLOWEES }, (_, i) => (reader + 1 + 3 * i) % PEOPLE)
    for (const author of new Set([0, ...authors])) {
      if (author === reader) continue
      const { outcome, code } = await operations.follow(reader, author, true)
      if (outcome !== 'ok') throw new Error(`the world cannot be set up: a follow was answered with ${code}`)
    }
  }
  await knownToAll(world)
  return world
}

/** Waits until every API process knows all that was answered so far, by any of them. */
export async function knownToAll({ clients, people: [{ token }] }: World): Promise<void> {
  const askedAtMs = Date.now()
  for (const [via, client] of clients.entries()) {
    for (;;) {
      const { outcome, json } = await client.call('GET', '/feed?limit=1', { token })
      if (outcome === 'ok' && Date.parse(json.as_of) >= askedAtMs) break
      if (Date.now() > askedAtMs + KNOWN_WITHIN_MS)
        throw new Error(`API process ${via} does not catch up with what was written`)
      await sleep(LOOK_MS)
    }
  }
}

/** The edges that change during the load; all others stay as they are. */
const movingEdges = (): { reader: number; author: number }[] =>
  Array.from({ length: MOVING_EDGES }, (_, i) => {
    const reader = i + 2
    return { reader, author: i < 2 ? 0 : (reader + (i % 2 === 0 ? 1 : 2)) % PEOPLE }
  })

export function startLoad({ history, operations, routes }: World): Load {
  const underWay = new Set<Promise<unknown>>()
  const edges = movingEdges()
  const busy = new Set<(typeof edges)[number]>()
  let leftOut = 0
  let isStopped = false

  function track(task: Promise<unknown>): void {
    underWay.add(task)
    void task.finally(() => underWay.delete(task))
  }

  async function move(): Promise<void> {
    const edge = edges[random(edges.length)]
    // One operation per edge at a time: otherwise their order would not be known.
    if (busy.has(edge)) return
    busy.add(edge)
    const last = history.edge(edge.reader, edge.author).findLast(({ outcome }) => outcome !== 'fail')
    await operations.follow(edge.reader, edge.author, last?.on !== true)
    busy.delete(edge)
  }

  async function remove(): Promise<void> {
    const post = history.posts[random(history.posts.length)]
    if (post !== undefined && post.deletes.length === 0 && mustBeThere(post, performance.now()))
      await operations.delete(post)
  }

  function one(): Promise<unknown> {
    const chance = Math.random()
    // Half of them without a key, so that they do not depend on Redis. A client that fails over needs a key.
    const withKey = routes.failsOver || Math.random() < 0.5
    if (chance < 0.4) return operations.post(random(PEOPLE), { withKey })
    if (chance < 0.5) return move()
    if (chance < 0.56) return remove()
    return operations.read(random(PEOPLE), 1 + random(PAGES_MAX))
  }

  let nextMs = performance.now()
  function tick(): void {
    while (!isStopped && nextMs <= performance.now()) {
      nextMs += 1_000 / PER_SECOND
      if (underWay.size < IN_FLIGHT_MAX) track(one())
      else leftOut++
    }
  }
  const timer = setInterval(tick, 5)

  return {
    get leftOut() {
      return leftOut
    },
    track,
    async stop() {
      isStopped = true
      clearInterval(timer)
      while (underWay.size > 0) await Promise.all(underWay)
    },
  }
}
