#!/usr/bin/env node
/** Starts the built command; says how to build it where that has not been done. */

import { existsSync } from 'node:fs'
import process from 'node:process'

const main = new URL('../dist/cli/main.js', import.meta.url)
if (existsSync(main)) {
  await import(main.href)
} else {
  process.stderr.write('rivulet: this checkout is not built yet; run: npm run build\n')
  process.exitCode = 1
}
