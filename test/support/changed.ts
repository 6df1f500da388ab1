/**
 * Copies of the engine with changes in their source: smaller limits, and planted faults. Each change must fit its file
 * exactly once, so a fault that the code has outgrown is noticed.
 */

import { createHash } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build } from 'esbuild'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const OUT = path.join(ROOT, 'node_modules', '.cache', 'rivulet-variants')

export interface Change {
  readonly file: string
  readonly find: string
  readonly replace: string
}

export interface PlantedFault {
  readonly name: string
  readonly changes: readonly Change[]
}

/** @param entry a module, from the root of the project; it is loaded over the changed sources */
export async function loadChanged<T>(entry: string, changes: readonly Change[]): Promise<T> {
  const unused = new Set(changes)
  const result = await build({
    entryPoints: [path.join(ROOT, entry)],
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    packages: 'external',
    sourcemap: 'inline',
    plugins: [
      {
        name: 'changes',
        setup(setup) {
          setup.onLoad({ filter: /\.ts$/ }, async ({ path: file }) => {
            const name = path.relative(path.join(ROOT, 'src'), file).replaceAll('\\', '/')
            let contents = await readFile(file, 'utf8')
            for (const change of changes) {
              if (change.file !== name) continue
              if (contents.split(change.find).length !== 2)
                throw new Error(`${name} must hold once: ${change.find}`)
              contents = contents.replace(change.find, () => change.replace)
              unused.delete(change)
            }
            return { contents, loader: 'ts' }
          })
        },
      },
    ],
  })
  if (unused.size > 0) throw new Error(`no such file: ${[...unused].map(({ file }) => file).join(', ')}`)
  const code = result.outputFiles[0].contents
  await mkdir(OUT, { recursive: true })
  const out = path.join(OUT, `${createHash('sha256').update(code).digest('hex').slice(0, 16)}.mjs`)
  await writeFile(out, code)
  return (await import(/* @vite-ignore */ pathToFileURL(out).href)) as T
}
