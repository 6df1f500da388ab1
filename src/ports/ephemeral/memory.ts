/**
 * Short-lived keys in this process's memory: at most `keysMax` values, buckets and set members together. When there are as
 * many living ones, a new one is refused with `overloaded`. None is dropped early, because claims and rate limits must
 * not end before their time.
 */

import { RivuletError, assert } from '../../core/errors.ts'
import type { Env } from '../env/env.ts'
import { Buckets } from './buckets.ts'
import { assertRate, assertTtl, checkValue } from './checks.ts'
import type { Ephemeral, HitResult } from './ephemeral.ts'
import { LivingMap, type Mortal, Room } from './living.ts'
import { MemberSets } from './members.ts'

const KEYS_MAX_DEFAULT = 1_000_000

export interface MemoryEphemeralOptions {
  readonly env: Pick<Env, 'monotonicMs'>
  readonly keysMax?: number
}

interface Value extends Mortal {
  readonly text: string
}

export function createMemoryEphemeral({
  env,
  keysMax = KEYS_MAX_DEFAULT,
}: MemoryEphemeralOptions): Ephemeral {
  assert(keysMax >= 1, 'at least one key is needed')
  return new MemoryEphemeral(env, new Room(keysMax))
}

class MemoryEphemeral implements Ephemeral {
  private readonly env: Pick<Env, 'monotonicMs'>
  private readonly values: LivingMap<Value>
  private readonly buckets: Buckets
  private readonly sets: MemberSets
  private closed = false

  constructor(env: Pick<Env, 'monotonicMs'>, room: Room) {
    this.env = env
    this.values = new LivingMap(room)
    this.buckets = new Buckets(room)
    this.sets = new MemberSets(room)
  }

  async putIfAbsent(key: string, value: string, ttlMs: number): Promise<boolean> {
    const nowMs = this.now()
    assertTtl(ttlMs)
    checkValue(value)
    if (this.values.get(key, nowMs) !== undefined) return false
    this.values.add(key, { text: value, expiresAtMs: nowMs + ttlMs }, nowMs)
    return true
  }

  async get(key: string): Promise<string | undefined> {
    return this.values.get(key, this.now())?.text
  }

  async take(key: string): Promise<string | undefined> {
    const value = this.values.get(key, this.now())
    this.values.delete(key)
    return value?.text
  }

  async hit(key: string, limit: number, windowMs: number, cost = 1): Promise<HitResult> {
    const nowMs = this.now()
    assertRate(limit, windowMs, cost)
    return this.buckets.hit(key, limit, windowMs, cost, nowMs)
  }

  async join(key: string, member: string, ttlMs: number): Promise<void> {
    const nowMs = this.now()
    assertTtl(ttlMs)
    this.sets.join(key, member, nowMs + ttlMs, nowMs)
  }

  async leave(key: string, member: string): Promise<void> {
    this.now()
    this.sets.leave(key, member)
  }

  async members(key: string, limit: number): Promise<readonly string[]> {
    return this.sets.living(key, limit, this.now())
  }

  async close(): Promise<void> {
    this.closed = true
  }

  private now(): number {
    if (this.closed) throw new RivuletError('shutting_down', 'the short-lived keys are closed')
    return this.env.monotonicMs()
  }
}
