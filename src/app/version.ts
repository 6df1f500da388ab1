/** The checkout or package that this runs from. */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const packageFolder = fileURLToPath(new URL('../..', import.meta.url))

/** Read when it is asked for: what is made of these modules may stand elsewhere. */
export const readVersion = (): string =>
  (JSON.parse(readFileSync(join(packageFolder, 'package.json'), 'utf8')) as { version: string }).version
