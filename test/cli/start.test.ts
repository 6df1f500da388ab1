/** The start file: it checks the version of Node before it loads anything else. */

import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const { engines } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  engines: { node: string }
}
const UNBUILT = 'rivulet: this checkout is not built yet; run: npm run build\n'

let checkout: string
beforeAll(() => {
  checkout = mkdtempSync(join(tmpdir(), 'rivulet-start-'))
  cpSync(join(ROOT, 'bin'), join(checkout, 'bin'), { recursive: true })
})
afterAll(() => rmSync(checkout, { recursive: true, force: true }))

/** Runs the start file as if under this version of Node. */
function startOn(version: string) {
  const versions = `{ value: { ...process.versions, node: '${version}' } }`
  const pretend = `data:text/javascript,Object.defineProperty(process, 'versions', ${versions})`
  const args = ['--import', pretend, join(checkout, 'bin', 'rivulet.js'), 'serve']
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  return { status, stdout, stderr }
}

test('a checkout that is not built says how to build it', () => {
  expect(startOn('24.0.0')).toEqual({ status: 1, stdout: '', stderr: UNBUILT })
})

test.each(['12.22.0', '18.20.0', '20.15.1', '20.18.3', '21.7.3', '22.11.0', '23.11.1'])(
  'under Node %s, one line says which version is needed',
  (version) => {
    const stderr = `rivulet: needs Node ${engines.node}, and this is ${version}\n`
    expect(startOn(version)).toEqual({ status: 1, stdout: '', stderr })
  },
)

test.each(['20.19.0', '20.20.2', '22.12.0', '22.22.0', '24.0.0', '25.1.0', '26.0.0'])(
  'Node %s is accepted',
  (version) => {
    expect(startOn(version).stderr).toBe(UNBUILT)
  },
)
