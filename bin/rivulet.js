#!/usr/bin/env -S node --max-semi-space-size=64 --min-semi-space-size=64
/**
 * Starts the built command; says how to build it where that has not been done, and which Node it needs where that is
 * another one: so nothing is loaded before the version is known, and every Node that knows modules can read this file.
 *
 * The young generation is larger than Node's own: what a request leaves behind is then mostly gone before the
 * collector looks for it.
 */

/** As `engines` in package.json, which is what everything is tested on. */
const SUPPORTED = '^20.19.0 || ^22.12.0 || >=24.0.0'

function isSupported(version) {
  const [major, minor] = version.split('.').map(Number)
  return (major === 20 && minor >= 19) || (major === 22 && minor >= 12) || major >= 24
}

async function start() {
  const { existsSync } = await import('fs')
  const main = new URL('../dist/cli/main.js', import.meta.url)
  if (existsSync(main)) await import(main.href)
  else fail('this checkout is not built yet; run: npm run build')
}

function fail(message) {
  process.stderr.write(`rivulet: ${message}\n`)
  process.exitCode = 1
}

if (isSupported(process.versions.node)) start()
else fail(`needs Node ${SUPPORTED}, and this is ${process.versions.node}`)
