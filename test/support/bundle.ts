/**
 * Bundles a program into one file, from the sources as they are now: a process starts from it in a third of the time that
 * compiling the sources on the way takes. The file is in node_modules, so that packages and package.json are found. Its
 * name contains a hash of its content, so that test files that run at once can share it, and one of the checkout, so that
 * two checkouts with the same packages do not remove each other's files.
 */

import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const MODULES = join(ROOT, 'node_modules')
const { dependencies, devDependencies } = JSON.parse(
  readFileSync(join(ROOT, 'package.json'), 'utf8'),
) as Record<string, Record<string, string>>
/** All packages stay external but TypeBox, whose several hundred modules would take half of a start. */
const EXTERNAL = Object.keys({ ...dependencies, ...devDependencies }).filter((name) => name !== 'typebox')
const CHECKOUT = createHash('sha256').update(ROOT).digest('hex').slice(0, 8)

/** @returns the path of the file to run */
export async function bundled(entry: string): Promise<string> {
  const prefix = `.rivulet-${createHash('sha256').update(entry).digest('hex').slice(0, 8)}-${CHECKOUT}-`
  const { outputFiles } = await build({
    entryPoints: { main: entry },
    outdir: join(MODULES, prefix),
    bundle: true,
    splitting: true,
    external: EXTERNAL,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    sourcemap: 'inline',
    write: false,
    logLevel: 'error',
  })
  const hash = createHash('sha256')
  for (const { hash: content } of outputFiles) hash.update(content)
  const name = prefix + hash.digest('hex').slice(0, 16)
  const folder = join(MODULES, name)
  if (!existsSync(folder)) {
    const draft = `${folder}-${process.pid}`
    mkdirSync(draft, { recursive: true })
    for (const { path, contents } of outputFiles) writeFileSync(join(draft, basename(path)), contents)
    removeOthers(prefix, name)
    // Another test file may have been faster, and has made the same files.
    if (existsSync(folder)) rmSync(draft, { recursive: true })
    else renameSync(draft, folder)
  }
  return join(folder, 'main.js')
}

function removeOthers(prefix: string, name: string): void {
  for (const other of readdirSync(MODULES)) {
    const isOurs = other.startsWith(prefix) && !other.startsWith(name)
    if (isOurs) rmSync(join(MODULES, other), { recursive: true, force: true })
  }
}
