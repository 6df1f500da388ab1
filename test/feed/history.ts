/**
 * Random histories against the oracle. A history is a list of steps drawn from a seed; it is run on a whole
 * engine over weak ports, and at any step feeds are read page by page and compared with the oracle. The same code
 * runs on changed copies of the engine (planted faults), so everything it needs is imported here and nowhere else.
 */

import fc from 'fast-check'
import { isRivuletError, RivuletError } from '../../src/core/errors.ts'
import { Model } from '../support/model.ts'
import { createChecks, type Checks } from './checks.ts'
import { createMachine, type Machine } from './machine.ts'
import { createSharedMachine } from './machine-shared.ts'
import type { EngineAddresses } from '../support/engine-place.ts'
import { createRaces } from './races.ts'
import { ACCOUNTS, PAGE_SIZES, stepArbitrary, THRESHOLDS, TIERS, type Step } from './steps.ts'

export interface HistoryPlace {
  /** Real engines to run on, instead of memory. */
  readonly engines?: EngineAddresses
  /** Several processes share the work. */
  readonly shared?: boolean
}

export interface HistoryOptions extends HistoryPlace {
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
    runHistory(seed, capacity, steps, happened, options),
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
  place: HistoryPlace = {},
) {
  const machine = await newMachine(seed, capacity, happened, place)
  const model = new Model()
  const numbers: number[] = []
  for (let i = 0; i < ACCOUNTS; i++) {
    const account = await written(machine, () =>
      machine.rivulet.graph.commands.createAccount({ handle: `user${i}` }),
    )
    numbers.push(account.number)
  }
  const checks = createChecks(machine, model, numbers, happened)
  const run = createRunner(machine, model, checks, numbers, happened)
  for (const step of steps) await run(step)
  await (machine.settle?.() ?? machine.driven(machine.rivulet.settle()))
  for (let reader = 0; reader < ACCOUNTS; reader++) await checks.feed(reader, reader % PAGE_SIZES.length)
  await checks.counts()
  await machine.close()
}

/** Imported only for real engines: without them, their drivers need not be installed. */
async function newMachine(
  seed: number,
  capacity: number,
  happened: Record<string, number>,
  { engines, shared }: HistoryPlace,
): Promise<Machine> {
  if (shared === true) return createSharedMachine(seed, capacity, happened)
  if (engines === undefined) return createMachine(seed, capacity, happened)
  const { createEngineMachine } = await import('./machine-engines.ts')
  return createEngineMachine(seed, capacity, happened, engines)
}

const REFUSED_MAX = 50

/** A write that a process refused is tried again, perhaps at another process: a refusal means that nothing happened. */
async function written<T>(machine: Machine, task: () => Promise<T>): Promise<T> {
  for (let refused = 0; ; refused++) {
    try {
      return await machine.driven(task())
    } catch (error) {
      if (!isRivuletError(error, 'unavailable') || machine.rest === undefined || refused === REFUSED_MAX)
        throw error
      await machine.rest()
    }
  }
}

/** Makes each step happen in the engine, and in the model if the engine took it. */
function createRunner(
  machine: Machine,
  model: Model,
  checks: Checks,
  numbers: readonly number[],
  happened: Record<string, number>,
) {
  const { driven, random } = machine
  const number = (index: number) => numbers[index]
  const write = <T>(task: () => Promise<T>) => written(machine, task)

  /** Whether a write happened: not if it was refused; after an unknown outcome, reads find out. */
  async function attempt(task: () => Promise<unknown>): Promise<boolean> {
    try {
      await write(task)
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
    const glances = checks.glances()
    const made = await write(() =>
      machine.rivulet.feed.commands.post(author, {
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
    checks.told(made.id, await driven(glances))
  }

  const races = createRaces(machine, model, attempt)

  return async function run(step: Step): Promise<void> {
    const { rivulet } = machine
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
        await write(() => machine.rivulet.feed.commands.delete(target.author, target.id))
        return model.delete(target.id)
      }
      case 'like': {
        const target = pickPost(step[2])
        if (target === undefined) return
        const like = () => machine.rivulet.feed.commands.like(number(step[1]), target.id, step[3])
        if (await attempt(like)) model.like(number(step[1]), target.id, step[3])
        return
      }
      case 'follow':
        if (await attempt(() => machine.rivulet.graph.commands.follow(number(step[1]), number(step[2])))) {
          model.follow(number(step[1]), number(step[2]))
        }
        return
      case 'unfollow':
        if (step[1] === step[2]) return
        await write(() => machine.rivulet.graph.commands.unfollow(number(step[1]), number(step[2])))
        return model.unfollow(number(step[1]), number(step[2]))
      case 'block':
      case 'unblock': {
        if (step[1] === step[2]) return
        await write(() =>
          machine.rivulet.graph.commands.block(number(step[1]), number(step[2]), step[0] === 'block'),
        )
        if (step[0] === 'block') model.block(number(step[1]), number(step[2]))
        else model.unblock(number(step[1]), number(step[2]))
        return
      }
      case 'race':
        return races.pair(number(step[1]), number(step[2]), [step[3], step[4]], step[5])
      case 'raceAtPost': {
        const target = pickPost(step[2])
        if (target === undefined) return
        const fields = step[3] === 'reply' ? { replyTo: target.id } : { repostOf: target.id }
        return races.atPost(number(step[1]), target, step[4], step[5], (by) =>
          attempt(() => post(by, fields)),
        )
      }
      case 'mute':
      case 'unmute':
        if (step[1] === step[2]) return
        await write(() =>
          machine.rivulet.graph.commands.mute(number(step[1]), number(step[2]), step[0] === 'mute'),
        )
        return model.mute(number(step[1]), number(step[2]), step[0] === 'mute')
      case 'tier':
        await write(() =>
          machine.rivulet.graph.commands.setTier(number(step[1]), TIERS[step[2][0]], step[2][1]),
        )
        return
      case 'threshold':
        await write(() =>
          machine.rivulet.graph.commands.setPolicy({ push_threshold_followers: THRESHOLDS[step[1]] }),
        )
        return
      case 'inactive':
        await write(() => machine.rivulet.graph.commands.setPolicy({ inactive_days: step[1] }))
        return
      case 'evict':
        return machine.evict(number(step[1]))
      case 'loseNewest':
        return machine.loseAbove(
          number(step[1]),
          [...model.posts.keys()].at(-1 - Math.floor(random() * 4)) ?? 0,
        )
      case 'crash':
        happened['crash'] = (happened['crash'] ?? 0) + 1
        return machine.restart(step[1])
      case 'checkpoint':
        return driven(rivulet.engine.worker.checkpoint())
      case 'pass':
        return machine.pass(step[1])
      case 'settle':
        return driven(rivulet.settle())
      case 'check':
        return checks.feed(step[1], step[2])
      case 'keep':
        return checks.keep(step[1], step[2])
      case 'after':
        return checks.after(step[1])
    }
  }
}
