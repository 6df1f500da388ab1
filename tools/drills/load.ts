/**
 * A small world and a steady load on it. Operations begin when they are due, whatever became of those before:
 * what is slow is seen as slow, and nothing waits for it.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import type { Client } from './client.ts'
import { createHistory, mustBeThere, type History } from './history.ts'
import { createOperations, nameOf, type Operations, type Person } from './operations.ts'
import { createRoutes, type Routes } from './routes.ts'

export interface World {
  /** Of each API process. */
  readonly clients: readonly Client[]
  readonly routes: Routes
  readonly people: readonly Person[]
  readonly history: History
  readonly operations: Operations
}

export interface Load {
  /** Operations that were due when too many were under way, and were left out. */
  readonly leftOut: number
  /** Keeps `stop` waiting for it. */
  track(task: Promise<unknown>): void
  /** Resolves when the last answer is there. */
  stop(): Promise<void>
}

const PEOPLE = 20
/** Everybody follows the first, whose posts are pulled; the others are below the threshold, and pushed. */
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
      if (outcome !== 'ok') throw new Error(`the world cannot be made: a follow was answered with ${code}`)
    }
  }
  await knownToAll(world)
  return world
}

/** Until every API process knows what was answered so far. */
export async function knownToAll({ clients, people: [{ token }] }: World): Promise<void> {
  const askedAtMs = Date.now()
  for (const [via, client] of clients.entries()) {
    for (;;) {
      const { outcome, json } = await client.call('GET', '/feed?limit=1', { token })
      if (outcome === 'ok' && Date.parse(json.as_of) >= askedAtMs) break
      if (Date.now() > askedAtMs + KNOWN_WITHIN_MS)
        throw new Error(`API process ${via} does not come to know what others have written`)
      await sleep(LOOK_MS)
    }
  }
}

/** Pairs that follow and unfollow; all the others stay as they are throughout. */
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
    // One after the other, or nobody could say in which order they came.
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
    // Half of them without a key: those do not need Redis on their way. Who fails over needs one.
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
