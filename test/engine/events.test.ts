/** The decoder tells events of this version, events of a newer version and foreign bytes apart. */

import { expect, test } from 'vitest'
import { struct, u32 } from '../../src/core/codec.ts'
import { isRivuletError } from '../../src/core/errors.ts'
import { defineEvent, encodeEvent, eventDecoder } from '../../src/engine/events.ts'
import { createSimulatedEnv } from '../../src/ports/env/simulated.ts'
import { createIdSource } from '../../src/core/ids.ts'

const START_MS = Date.UTC(2026, 5, 1)
const known = defineEvent(20, 'known', struct({ number: u32 }))
const newer = defineEvent(105, 'newer', struct({ number: u32 }))
const decode = eventDecoder([known])
const id = createIdSource(() => START_MS).next()

function codeOf(bytes: Uint8Array): string {
  try {
    decode(bytes, 1, 0, 0)
    return 'an event'
  } catch (error) {
    return isRivuletError(error) ? error.code : String(error)
  }
}

test('an event with an unknown tag is reported as one of a newer version', () => {
  expect(codeOf(encodeEvent(known, id, 7, { number: 1 }))).toBe('an event')
  expect(codeOf(encodeEvent(newer, id, 7, { number: 1 }))).toBe('data_newer_format')
})

test('foreign bytes are never taken for an event of a newer version, which would end every worker', () => {
  const texts = ['', 'item-001C', 'order 07C is late', '{"a":1}', 'x'.repeat(100)]
  for (const text of texts) expect([text, codeOf(Buffer.from(text))]).toEqual([text, 'data_corrupt'])
  for (let tag = 0; tag < 256; tag++) expect(codeOf(Uint8Array.of(tag))).toBe('data_corrupt')
  const { randomBytes } = createSimulatedEnv({ seed: 1, startMs: START_MS })
  const seen = new Set<string>()
  for (let i = 0; i < 200_000; i++) seen.add(codeOf(randomBytes(1 + (i % 64))))
  expect(seen.has('data_newer_format')).toBe(false)
})

test('an event that is cut off before its body is rejected as corrupt', () => {
  const whole = encodeEvent(known, id, 7, { number: 1 })
  for (let bytes = 0; bytes < 18; bytes++) expect(codeOf(whole.subarray(0, bytes))).toBe('data_corrupt')
})
