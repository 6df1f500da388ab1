/**
 * Decisions that the owner of a partition has made, told in the log right before the record of progress that lets other
 * processes apply the events.
 */

import { bool, bytes, decode, encode, optional, struct, text, u53, u8 } from '../../core/codec.ts'
import type { Decision, Event } from '../events.ts'

export const toldDecision = struct({
  position: u53,
  /** An index of `OUTCOMES`. */
  outcome: u8,
  /** The event that was repeated; else 0. */
  of: u53,
  isSame: bool,
  reason: optional(text),
  /** Through the codec of the event's type; empty for a refusal. */
  value: bytes,
})

export type ToldDecision = ReturnType<typeof toldDecision.read>

const OUTCOMES = ['made', 'repeated', 'refused'] as const
const NOTHING = new Uint8Array(0)

/** Of an event that is projected and has a decision. */
export function tellDecision({ position, type, decision }: Event): ToldDecision | undefined {
  if (decision === undefined || type.decision === undefined) return undefined
  const outcome = OUTCOMES.indexOf(decision.outcome)
  if (decision.outcome === 'refused') {
    return { position, outcome, of: 0, isSame: false, reason: decision.reason, value: NOTHING }
  }
  const isRepeat = decision.outcome === 'repeated'
  const [of, isSame] = isRepeat ? [decision.of, decision.isSame] : [0, false]
  return { position, outcome, of, isSame, reason: undefined, value: encode(type.decision, decision.value) }
}

export function readDecision(
  { type }: Event,
  { outcome, of, isSame, reason, value }: ToldDecision,
): Decision {
  const name = OUTCOMES[outcome]
  if (name === 'refused' || type.decision === undefined) return { outcome: 'refused', reason }
  const decided: unknown = decode(type.decision, value)
  return name === 'made'
    ? { outcome: 'made', value: decided }
    : { outcome: 'repeated', of, isSame, value: decided }
}
