/** The folder and the version of the package or checkout that this process runs from. */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const packageFolder = fileURLToPath(new URL('../..', import.meta.url))

/** Read only when asked for, because a bundle of these modules may lie in another folder. */
export const readVersion = (): string =>
  (JSON.parse(readFileSync(join(packageFolder, 'package.json'), 'utf8')) as { version: string }).version
