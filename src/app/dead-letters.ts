/** Dead letters: records of the log that could not be applied. They can be listed, and appended to the log again. */

import { deadLetters, markReplayed, type DeadLetter } from '../engine/worker/dead-letters.ts'
import { partitionKeys } from '../engine/processes/partition-keys.ts'
import { redelivery } from '../engine/worker/redelivery.ts'
import type { OpenPorts } from './ports/parts.ts'

type Ports = Pick<OpenPorts, 'log' | 'store'>

export interface Listed {
  readonly waiting: number
  readonly replayed: number
}

export async function listDeadLetters(
  { store }: Ports,
  onLetter: (letter: DeadLetter) => void,
): Promise<Listed> {
  let [waiting, replayed] = [0, 0]
  for await (const letter of deadLetters(store)) {
    if (letter.isReplayed) replayed++
    else waiting++
    onLetter(letter)
  }
  return { waiting, replayed }
}

/**
 * Appends the dead letters that wait to the ends of their partitions, and marks them as replayed. If the process is
 * killed between the two writes of a letter, the next replay appends it again: an event without an Idempotency-Key is
 * then applied, and counted, twice.
 * @returns how many were appended
 */
export async function replayDeadLetters({ log, store }: Ports): Promise<number> {
  // Bytes that are not an event have no key; any key of the right partition will do.
  const keys = partitionKeys(log)
  let count = 0
  for await (const letter of deadLetters(store)) {
    if (letter.isReplayed) continue
    const key = letter.key ?? keys[letter.partition % log.partitions]
    const value = letter.reactor === undefined ? Buffer.from(letter.value, 'base64') : redelivery(letter, key)
    await log.append([{ key, value }])
    await markReplayed(store, letter)
    count++
  }
  return count
}
