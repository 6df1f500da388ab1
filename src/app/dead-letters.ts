/** What the log held and nobody could take in: listed, and appended again once its cause is mended. */

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
 * Appends those that wait to the end of their partitions. Should it be killed between the two writes of one, that one
 * comes again: where its request carried no Idempotency-Key, it may then be taken in, and counted, twice.
 * @returns how many
 */
export async function replayDeadLetters({ log, store }: Ports): Promise<number> {
  // Bytes that are no event have no key: any partition holds them as well.
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
