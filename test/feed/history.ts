/**
 * Random histories against the oracle. A history is a list of steps drawn from a seed; it is run on a whole
 * engine over weak ports, and at any step feeds are read page by page and compared with what the naive feed
 * says. The same code runs on mutated copies of the engine (planted faults), so everything it needs is
 * imported here and nowhere else.
 */

import fc from 'fast-check'
import { createRivulet, type Rivulet } from '../../src/index.ts'
import { RivuletError } from '../../src/core/errors.ts'
import { createSimulatedEnv, type SimulatedEnv } from '../../src/ports/env/simulated.ts'
import { createRandom } from '../../src/ports/env/random.ts'
import { createMemoryDisk as createLogDisk, createMemoryLog } from '../../src/ports/log/memory.ts'
import { crash, createMemoryDisk, createMemoryStore } from '../../src/ports/store/memory.ts'
import { createMemoryViews, memoryViewsBytesMin } from '../../src/ports/views/memory.ts'
import type { Views } from '../../src/ports/views/views.ts'
import { Model } from '../support/model.ts'
import { weaken, type WeakPorts } from '../support/weak.ts'

const ACCOUNTS = 9
const PAGE_SIZES = [1, 2, 3, 5, 20]
const THRESHOLDS = [0, 1, 2, 4, 1_000_000]
const TIERS = ['auto', 'push', 'pull'] as const
const START_MS = Date.UTC(2026, 0, 1)
const SECRET = new Uint8Array(32).fill(7)

const who = fc.nat(ACCOUNTS - 1)
const which = fc.nat(30)

/** Weights: mostly writes, so that every check looks at a world in motion. */
const stepArbitrary = fc.oneof(
  {
    weight: 14,
    arbitrary: fc.tuple(
      fc.constant('post' as const),
      who,
      fc.constantFrom('public', 'public', 'followers', 'self'),
    ),
  },
  { weight: 4, arbitrary: fc.tuple(fc.constant('reply' as const), who, which) },
  { weight: 5, arbitrary: fc.tuple(fc.constant('repost' as const), who, which) },
  { weight: 3, arbitrary: fc.tuple(fc.constant('delete' as const), who, which) },
  { weight: 12, arbitrary: fc.tuple(fc.constant('follow' as const), who, who) },
  { weight: 4, arbitrary: fc.tuple(fc.constant('unfollow' as const), who, who) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('block' as const), who, who) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('unblock' as const), who, who) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('mute' as const), who, who) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('unmute' as const), who, who) },
  { weight: 3, arbitrary: fc.tuple(fc.constant('tier' as const), who, fc.tuple(fc.nat(2), fc.nat(8))) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('threshold' as const), fc.nat(THRESHOLDS.length - 1)) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('inactive' as const), fc.constantFrom(0, 1, 30)) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('evict' as const), who) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('loseNewest' as const), who) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('crash' as const), fc.boolean()) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('checkpoint' as const)) },
  {
    weight: 2,
    arbitrary: fc.tuple(
      fc.constant('pass' as const),
      fc.constantFrom(20, 60_000, 3_600_000 * 5, 86_400_000 * 2),
    ),
  },
  { weight: 4, arbitrary: fc.tuple(fc.constant('settle' as const)) },
  { weight: 8, arbitrary: fc.tuple(fc.constant('check' as const), who, fc.nat(PAGE_SIZES.length - 1)) },
  { weight: 5, arbitrary: fc.tuple(fc.constant('keep' as const), who, fc.nat(PAGE_SIZES.length - 1)) },
  { weight: 5, arbitrary: fc.tuple(fc.constant('after' as const), who) },
)

export type Step = typeof stepArbitrary extends fc.Arbitrary<infer T> ? T : never

export interface HistoryOptions {
  readonly runs: number
  readonly seed?: number
  readonly path?: string
  readonly stepsMax?: number
  /** Stop at the first failure instead of looking for a smaller one. */
  readonly quick?: boolean
}

export interface HistoryResult {
  readonly failed: boolean
  readonly runs: number
  readonly seed: number
  readonly path: string | null
  readonly message: string
  readonly happened: Record<string, number>
}

export async function runHistories(options: HistoryOptions): Promise<HistoryResult> {
  const happened: Record<string, number> = {}
  const history = fc.record({
    seed: fc.nat(2 ** 31),
    capacity: fc.constantFrom(3, 5, 8, 800),
    steps: fc.array(stepArbitrary, { minLength: 10, maxLength: options.stepsMax ?? 120, size: 'max' }),
  })
  const property = fc.asyncProperty(history, ({ seed, capacity, steps }) =>
    runHistory(seed, capacity, steps, happened),
  )
  const result = await fc.check(property, {
    numRuns: options.runs,
    ...(options.seed === undefined ? {} : { seed: options.seed }),
    ...(options.path === undefined ? {} : { path: options.path }),
    endOnFailure: options.quick ?? options.path !== undefined,
    interruptAfterTimeLimit: 600_000,
  })
  const error = result.errorInstance
  return {
    failed: result.failed,
    runs: result.numRuns,
    seed: result.seed,
    path: result.counterexamplePath,
    message: result.failed
      ? `${error instanceof Error ? error.stack : String(error)}\n${JSON.stringify(result.counterexample)}`
      : '',
    happened,
  }
}

export async function runHistory(
  seed: number,
  capacity: number,
  steps: readonly Step[],
  happened: Record<string, number>,
) {
  const world = await createWorld(seed, capacity, happened)
  for (const step of steps) await world.run(step)
  await world.settle()
  for (let reader = 0; reader < ACCOUNTS; reader++) await world.check(reader, reader % PAGE_SIZES.length)
  await world.checkCounts()
  await world.rivulet.stop()
}

interface Kept {
  readonly after: string
  /** What the oracle said then. */
  readonly feed: readonly number[]
  readonly served: readonly number[]
  readonly horizon: number
}

async function createWorld(seed: number, capacity: number, happened: Record<string, number>) {
  const env: SimulatedEnv = createSimulatedEnv({ seed, startMs: START_MS })
  const random = createRandom(seed ^ 0x5bd1e995)
  const logDisk = createLogDisk()
  const storeDisk = createMemoryDisk()
  const model = new Model()
  const kept = new Map<number, Kept>()
  const numbers: number[] = []
  const weakness = { delay: 0.4, duplicate: 0.05, unknown: 0.03, unavailable: 0, happened }
  let views = newViews()
  let lost = new Map<number, number>()
  let fatal: unknown
  let incarnation = 0
  let weak: WeakPorts
  let log = createMemoryLog({ env, partitions: 1, disk: logDisk })
  let rivulet: Rivulet = await boot()

  function newViews(): Views {
    return createMemoryViews({ bytesMax: 64 * memoryViewsBytesMin(capacity), capacity })
  }

  async function boot(): Promise<Rivulet> {
    log = createMemoryLog({ env, partitions: 1, disk: logDisk })
    weak = weaken(
      env,
      random,
      { log, store: createMemoryStore({ env, disk: storeDisk }), views: losingNewest() },
      weakness,
    )
    const mine = ++incarnation
    // A process that was killed has nothing to say any more.
    const onFatal = (error: unknown) => void (mine === incarnation && (fatal ??= error))
    const next = createRivulet({ env, ...weak }, { secret: SECRET, onFatal })
    await driven(next.start())
    return next
  }

  /** A view may lose its newest entries; its header then says so. */
  function losingNewest(): Views {
    const inner = views
    const range: Views['range'] = async (owner, below, limit) => {
      const to = lost.get(owner)
      const page = await inner.range(owner, to === undefined ? below : Math.min(below, to + 1), limit)
      return page === undefined || to === undefined
        ? page
        : { ...page, header: { ...page.header, horizon: Math.min(to, page.header.horizon) } }
    }
    const open: Views['open'] = (owners) => {
      for (const owner of owners) lost.delete(owner)
      return inner.open(owners)
    }
    return {
      capacity: inner.capacity,
      insert: (spreads) => inner.insert(spreads),
      advance: (id) => inner.advance(id),
      merge: (owner, epoch, entries) => inner.merge(owner, epoch, entries),
      settle: (owner, epoch, floor) => inner.settle(owner, epoch, floor),
      evict: (owners) => inner.evict(owners),
      stats: () => inner.stats(),
      close: () => inner.close(),
      open,
      range,
    }
  }

  /** Timers of the simulated clock fire only when it moves: a little, for as long as a task waits. */
  async function driven<T>(task: Promise<T>): Promise<T> {
    let done = false
    const end = () => void (done = true)
    task.then(end, end)
    for (let turns = 0; !done; turns++) {
      for (let i = 0; i < 50 && !done; i++) await env.yield()
      if (fatal !== undefined) throw fatal
      if (!done) env.advance(5)
      if (turns > 20_000) throw new Error('the engine hangs')
    }
    return task
  }

  const count = (what: string) => void (happened[what] = (happened[what] ?? 0) + 1)
  const number = (index: number) => numbers[index]

  /** Refusals are part of life; an unknown outcome may have happened and is settled by looking. */
  async function attempt(task: () => Promise<unknown>): Promise<boolean> {
    try {
      await driven(task())
      return true
    } catch (error) {
      if (!(error instanceof RivuletError) || error.status >= 500) throw error
      return false
    }
  }

  const pickPost = (index: number) => {
    const ids = [...model.posts.keys()]
    return ids.length === 0
      ? undefined
      : model.posts.get(ids[ids.length - 1 - (index % Math.min(ids.length, 12))])
  }

  async function post(
    author: number,
    fields: { visibility?: 'public' | 'followers' | 'self'; replyTo?: number; repostOf?: number },
  ) {
    const made = await driven(
      rivulet.feed.commands.post(author, {
        ...fields,
        ...(fields.repostOf === undefined ? { content: 'x' } : {}),
      }),
    )
    const target = made.repostOf > 0 ? made.repostOf : undefined
    model.post({
      id: made.id,
      author,
      visibility: fields.visibility ?? 'public',
      replyTo: fields.replyTo,
      repostOf: target,
      deleted: false,
    })
  }

  async function readAll(reader: number, limit: number) {
    const pages = []
    let cursor: string | undefined
    do {
      const page = await driven(rivulet.feed.reads.home(number(reader), { limit, cursor }))
      if (page.failedSources.length > 0) throw new Error(`sources failed: ${page.failedSources.join()}`)
      pages.push({ ...page, ids: page.items.map(({ id }) => id) })
      if (page.hasMore && page.items.length < limit) throw new Error('a short page says that there is more')
      cursor = page.nextCursor
    } while (cursor !== undefined)
    return pages
  }

  /** A cursor opens its own reader's feed and nothing else. */
  async function checkBound(reader: number, cursor: string | undefined): Promise<void> {
    if (cursor === undefined) return
    const other = number((reader + 1) % ACCOUNTS)
    const refused = await driven(rivulet.feed.reads.home(other, { limit: 1, cursor })).then(
      () => false,
      (error: unknown) => error instanceof RivuletError && error.code === 'invalid_cursor',
    )
    if (!refused) throw new Error(`the cursor of ${number(reader)} opens the feed of ${other}`)
  }

  async function check(reader: number, size: number): Promise<void> {
    count('check')
    const pages = await readAll(reader, PAGE_SIZES[size])
    await checkBound(reader, pages[0].nextCursor)
    const horizon = pages[0].horizon
    const read = pages.flatMap(({ ids }) => ids)
    // What is above the horizon and was not read has not come yet, for this reader.
    const isKnown = (id: number) => id <= horizon || read.includes(id)
    const expected = model.feed(number(reader), isKnown)
    // Above the horizon fan-out is under way: what is there must be rightly there, but may lack something.
    const late = read.filter((id) => id > horizon)
    if (late.some((id) => !expected.includes(id)))
      throw differs('forbidden above the horizon', reader, late, expected)
    const upTo = (ids: readonly number[]) => ids.filter((id) => id <= horizon)
    if (!equal(upTo(read), upTo(expected))) throw differs('feed', reader, upTo(read), upTo(expected))
    if (new Set(read).size !== read.length) throw differs('twice', reader, read, expected)
  }

  function differs(
    what: string,
    reader: number,
    read: readonly number[],
    expected: readonly number[],
  ): Error {
    const missing = expected.filter((id) => !read.includes(id))
    const extra = read.filter((id) => !expected.includes(id))
    return new Error(
      `${what}: reader ${number(reader)} reads ${read.length} of ${expected.length}; missing ${missing}; extra ${extra}`,
    )
  }

  async function keep(reader: number, size: number): Promise<void> {
    const pages = await readAll(reader, PAGE_SIZES[size])
    const index = Math.floor(random() * Math.min(pages.length, 3))
    const served = pages.slice(0, index + 1).flatMap(({ ids }) => ids)
    kept.set(reader, {
      after: pages[index].after,
      feed: model.feed(number(reader)),
      served,
      horizon: pages[0].horizon,
    })
  }

  async function checkAfter(reader: number): Promise<void> {
    const from = kept.get(reader)
    if (from === undefined) return
    const page = await driven(rivulet.feed.reads.home(number(reader), { limit: 20, after: from.after }))
    count(page.gap ? 'afterGap' : 'afterExact')
    if (page.gap) return
    const read = page.items.map(({ id }) => id)
    const isKnown = (id: number) => id <= page.horizon || read.includes(id) || from.served.includes(id)
    const now = model.feed(number(reader), isKnown)
    const fresh = now.filter(
      (id) => !from.feed.includes(id) || (id > from.horizon && !from.served.includes(id)),
    )
    const settled = (ids: readonly number[]) => ids.filter((id) => id <= page.horizon)
    if (read.some((id) => !fresh.includes(id))) throw differs('after', reader, read, fresh)
    if (!equal(settled(read), settled(fresh))) throw differs('after', reader, read, fresh)
    kept.set(reader, {
      after: page.after,
      feed: now,
      served: [...from.served, ...read],
      horizon: page.horizon,
    })
  }

  async function restart(keepViews: boolean): Promise<void> {
    count('crash')
    weak.kill()
    incarnation++
    log.crash()
    crash(storeDisk, random)
    if (!keepViews) views = newViews()
    if (!keepViews) lost = new Map()
    rivulet = await boot()
  }

  /** Everything that was begun is done. */
  async function settle(): Promise<void> {
    await driven(rivulet.settle())
  }

  async function run(step: Step): Promise<void> {
    const { commands } = rivulet.graph
    switch (step[0]) {
      case 'post':
        return post(number(step[1]), { visibility: step[2] as 'public' })
      case 'reply': {
        const target = pickPost(step[2])
        if (target !== undefined) await attempt(() => post(number(step[1]), { replyTo: target.id }))
        return
      }
      case 'repost': {
        const target = pickPost(step[2])
        if (target !== undefined) await attempt(() => post(number(step[1]), { repostOf: target.id }))
        return
      }
      case 'delete': {
        const target = pickPost(step[2])
        if (target === undefined) return
        await driven(rivulet.feed.commands.delete(target.author, target.id))
        return model.delete(target.id)
      }
      case 'follow':
        if (await attempt(() => commands.follow(number(step[1]), number(step[2])))) {
          model.follow(number(step[1]), number(step[2]))
        }
        return
      case 'unfollow':
        if (step[1] === step[2]) return
        await driven(commands.unfollow(number(step[1]), number(step[2])))
        return model.unfollow(number(step[1]), number(step[2]))
      case 'block':
      case 'unblock': {
        if (step[1] === step[2]) return
        await driven(commands.block(number(step[1]), number(step[2]), step[0] === 'block'))
        if (step[0] === 'block') model.block(number(step[1]), number(step[2]))
        else model.unblock(number(step[1]), number(step[2]))
        return
      }
      case 'mute':
      case 'unmute':
        if (step[1] === step[2]) return
        await driven(commands.mute(number(step[1]), number(step[2]), step[0] === 'mute'))
        return model.mute(number(step[1]), number(step[2]), step[0] === 'mute')
      case 'tier':
        await driven(commands.setTier(number(step[1]), TIERS[step[2][0]], step[2][1]))
        return
      case 'threshold':
        await driven(commands.setPolicy({ push_threshold_followers: THRESHOLDS[step[1]] }))
        return
      case 'inactive':
        await driven(commands.setPolicy({ inactive_days: step[1] }))
        return
      case 'evict':
        return views.evict([number(step[1])])
      case 'loseNewest':
        lost.set(number(step[1]), [...model.posts.keys()].at(-1 - Math.floor(random() * 4)) ?? 0)
        return
      case 'crash':
        return restart(step[1])
      case 'checkpoint':
        return driven(rivulet.engine.worker.checkpoint())
      case 'pass':
        return env.advance(step[1])
      case 'settle':
        return settle()
      case 'check':
        return check(step[1], step[2])
      case 'keep':
        return keep(step[1], step[2])
      case 'after':
        return checkAfter(step[1])
    }
  }

  async function checkCounts(): Promise<void> {
    const { graph, feed } = rivulet
    for (const account of numbers) {
      const read = await driven(
        Promise.all([
          graph.reads.followersCount(account),
          graph.reads.followingCount(account),
          feed.reads.postsCount(account),
        ]),
      )
      const expected = [
        model.followersCount(account),
        model.followingCount(account),
        model.postsCount(account),
      ]
      if (!equal(read, expected)) throw new Error(`counts of ${account}: ${read}, not ${expected}`)
    }
    const posts = await driven(feed.posts.load([...model.posts.keys()]))
    for (const [id, post] of posts) {
      const expected = [model.repliesCount(id), model.repostsCount(id)]
      if (!equal([post.replies, post.reposts], expected)) {
        throw new Error(`counts of post ${id}: ${post.replies}, ${post.reposts}, not ${expected}`)
      }
    }
  }

  for (let i = 0; i < ACCOUNTS; i++) {
    const account = await driven(rivulet.graph.commands.createAccount({ handle: `user${i}` }))
    numbers.push(account.number)
  }
  return {
    run,
    check,
    checkCounts,
    settle,
    get rivulet() {
      return { stop: () => driven(rivulet.stop()) }
    },
  }
}

const equal = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((value, i) => value === b[i])
