/**
 * Keys with a lifetime, in several maps with a common bound. There is no timer: a dead key is removed when it is looked
 * up, and every addition checks a few other keys, so that all dead keys are found in time.
 */

import { RivuletError } from '../../core/errors.ts'

/** Keys checked at each addition: several, so that the sweep is faster than the additions. */
const SWEEP_STEPS = 4
/** Keys checked for room before an addition is refused; takes well under a millisecond. */
const SWEEP_STEPS_FULL = 2_048
const RETRY_AFTER_MS = 1_000

export interface Mortal {
  /** By the monotonic clock. The key is dead from that moment on. */
  expiresAtMs: number
}

export class Room {
  used = 0
  readonly keysMax: number
  private readonly maps: { sweep(nowMs: number, steps: number): void }[] = []

  constructor(keysMax: number) {
    this.keysMax = keysMax
  }

  add(map: { sweep(nowMs: number, steps: number): void }): void {
    this.maps.push(map)
  }

  /** Counts one more key, or throws `overloaded` when there are as many living keys as allowed. */
  take(nowMs: number): void {
    for (const map of this.maps) map.sweep(nowMs, SWEEP_STEPS)
    if (this.used >= this.keysMax) for (const map of this.maps) map.sweep(nowMs, SWEEP_STEPS_FULL)
    if (this.used >= this.keysMax) {
      throw new RivuletError('overloaded', `all ${this.keysMax} short-lived keys are in use; retry later`, {
        retryAfterMs: RETRY_AFTER_MS,
      })
    }
    this.used++
  }
}

export class LivingMap<V extends Mortal> {
  private readonly records = new Map<string, V>()
  private readonly room: Room
  /** The position of the sweep. A Map's iterator stays valid when keys are added or removed. */
  private hand: Iterator<[string, V]> = this.records.entries()

  private readonly onGone: (record: V) => void

  constructor(room: Room, onGone: (record: V) => void = () => undefined) {
    this.room = room
    this.onGone = onGone
    room.add(this)
  }

  get(key: string, nowMs: number): V | undefined {
    const record = this.records.get(key)
    if (record === undefined || record.expiresAtMs > nowMs) return record
    this.remove(key, record)
    return undefined
  }

  /** The key must not be living. */
  add(key: string, record: V, nowMs: number): void {
    this.room.take(nowMs)
    this.records.set(key, record)
  }

  delete(key: string): void {
    const record = this.records.get(key)
    if (record !== undefined) this.remove(key, record)
  }

  private remove(key: string, record: V): void {
    this.records.delete(key)
    this.room.used--
    this.onGone(record)
  }

  sweep(nowMs: number, steps: number): void {
    for (let step = 0; step < steps; step++) {
      const next = this.hand.next()
      if (next.done) {
        this.hand = this.records.entries()
        return
      }
      const [key, record] = next.value
      if (record.expiresAtMs <= nowMs) this.remove(key, record)
    }
  }
}
