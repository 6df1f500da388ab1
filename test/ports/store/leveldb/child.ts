/**
 * A child process for the tests that kill it, lock it out or fill its disk. It prints, one line each, what the store has
 * acknowledged.
 *
 *   node child.ts hold|write FOLDER [FIRST_VERSION]
 */

import { RivuletError } from '../../../../src/core/errors.ts'
import { createRealEnv } from '../../../../src/ports/env/real.ts'
import { openLevelStore } from '../../../../src/ports/store/leveldb/leveldb.ts'
import type { Store } from '../../../../src/ports/store/store.ts'
import { claimOf, rowsOf } from './rows.ts'

const [mode, folder, first = '1'] = process.argv.slice(2)
const say = (line: string) => process.stdout.write(`${line}\n`)
const codeOf = (error: unknown) => (error instanceof RivuletError ? error.code : String(error))

async function writeForEver(store: Store): Promise<void> {
  for (let version = Number(first); ; version++) {
    await store.write(rowsOf(version))
    await store.insertIfAbsent([claimOf(version)])
    say(`claim ${version}`)
    if (version % 10 !== 0) continue
    await store.checkpoint([version])
    say(`checkpoint ${version}`)
  }
}

try {
  const onFatal = (error: RivuletError) => void say(`fatal ${error.code}`)
  const store = await openLevelStore({ env: createRealEnv(), folder, onFatal })
  say('open')
  if (mode === 'hold') setInterval(() => {}, 60_000)
  else {
    await writeForEver(store).catch((error) => say(`refused ${codeOf(error)}`))
    await store.get([claimOf(1)]).catch((error) => say(`later ${codeOf(error)}`))
    await store.close()
  }
} catch (error) {
  say(`error ${codeOf(error)}`)
}
