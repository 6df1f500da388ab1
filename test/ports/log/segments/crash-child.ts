/** Appends under load until it is killed; prints the number of each record once it is acknowledged. */

import { writeSync } from 'node:fs'
import { createRealEnv } from '../../../../src/ports/env/real.ts'
import { openSegmentLog } from '../../../../src/ports/log/segments/segments.ts'

const [folder, firstNumber] = process.argv.slice(2)
/** Writes all of the text before it returns: a full pipe may take a part of it, or for a moment nothing. */
function say(text: string): void {
  for (let rest = Buffer.from(text); rest.length > 0;) {
    try {
      rest = rest.subarray(writeSync(1, rest))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
    }
  }
}

const notice = (text: string) => say(`notice ${text}\n`)
const log = await openSegmentLog({
  env: createRealEnv(),
  folder,
  segmentBytesMax: 300_000,
  onNotice: notice,
})

let number = Number(firstNumber)
async function writer(id: number): Promise<void> {
  for (;;) {
    // A few calls are large, so that some batches span many pages.
    const count = number % 97 === 0 ? 50 : 1
    const numbers = Array.from({ length: count }, () => number++)
    await log.append(numbers.map((n) => ({ key: id, value: Buffer.from(`${id}:${n}:`.padEnd(200, 'x')) })))
    say(`${numbers.join('\n')}\n`)
  }
}

await Promise.all(Array.from({ length: 32 }, (_, id) => writer(id)))
