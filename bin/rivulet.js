#!/usr/bin/env -S node --enable-source-maps --max-semi-space-size=64 --min-semi-space-size=64
/**
 * Starts the built command; says how to build it where that has not been done. The young generation is larger
 * than Node's own: what a request leaves behind is then mostly gone before the collector looks for it.
 */

import { existsSync } from 'node:fs'
import process from 'node:process'

const main = new URL('../dist/cli/main.js', import.meta.url)
if (existsSync(main)) {
  await import(main.href)
} else {
  process.stderr.write('rivulet: this checkout is not built yet; run: npm run build\n')
  process.exitCode = 1
}
