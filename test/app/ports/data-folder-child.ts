/** Opens a data folder, prints the result, and holds the folder until it is killed. */

import { RivuletError } from '../../../src/core/errors.ts'
import { openDataFolder } from '../../../src/app/ports/data-folder.ts'
import { createRealEnv } from '../../../src/ports/env/real.ts'

const [folder] = process.argv.slice(2)
try {
  await openDataFolder({ folder, env: createRealEnv() })
  process.stdout.write('open\n')
  setInterval(() => {}, 60_000)
} catch (error) {
  process.stdout.write(`${error instanceof RivuletError ? error.code : String(error)}\n`)
}
