/**
 * Copies of the engine with changes in their source: a small world (limits of a few followers, so that a handful of
 * accounts exercises what millions would), and planted faults. The text that a change replaces must occur exactly once
 * in its file, so that a change which no longer fits the source is noticed.
 */

import { createHash } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build } from 'esbuild'
import type * as history from './history.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const OUT = path.join(ROOT, 'node_modules', '.cache', 'rivulet-variants')

export interface Change {
  readonly file: string
  readonly find: string
  readonly replace: string
}

export const SMALL_WORLD: readonly Change[] = [
  { file: 'core/limits.ts', find: 'chunkFollowersMax: 1_000', replace: 'chunkFollowersMax: 2' },
  { file: 'core/limits.ts', find: 'directFollowersMax: 10_000', replace: 'directFollowersMax: 2' },
  { file: 'core/limits.ts', find: 'followerBucketBits: 20', replace: 'followerBucketBits: 3' },
  { file: 'core/limits.ts', find: 'outboxCacheEntries: 512', replace: 'outboxCacheEntries: 5' },
  { file: 'core/limits.ts', find: 'openPlansMax: 10_000', replace: 'openPlansMax: 4' },
  { file: 'engine/read/pipeline.ts', find: 'ROUND_MIN = 8', replace: 'ROUND_MIN = 1' },
  { file: 'feed/fanout/direct.ts', find: 'VIEWS_A_TURN = 1_000', replace: 'VIEWS_A_TURN = 2' },
  { file: 'feed/fanout/direct.ts', find: 'SLICE_FOLLOWERS = 20_000', replace: 'SLICE_FOLLOWERS = 4' },
  { file: 'feed/fanout/turns.ts', find: 'CHUNKS_A_TURN = 16', replace: 'CHUNKS_A_TURN = 3' },
  { file: 'feed/fanout/chunks.ts', find: 'SAVE_EVERY_CHUNKS = 64', replace: 'SAVE_EVERY_CHUNKS = 2' },
  { file: 'feed/fanout/chunks.ts', find: 'LAG_EVENTS_HIGH = 2_048', replace: 'LAG_EVENTS_HIGH = 0' },
  { file: 'feed/timelines/pull.ts', find: 'ROUND_AUTHORS_MAX = 1_000', replace: 'ROUND_AUTHORS_MAX = 4' },
  { file: 'feed/timelines/pulls.ts', find: 'MERGED_AT_LIBERTY = 64', replace: 'MERGED_AT_LIBERTY = 1' },
  { file: 'feed/timelines/pulls.ts', find: 'AUTHORS_AT_ONCE = 1_000', replace: 'AUTHORS_AT_ONCE = 4' },
  { file: 'feed/home/reveals.ts', find: 'KEPT_MAX = 4_096', replace: 'KEPT_MAX = 4' },
  { file: 'graph/circle.ts', find: 'RANGE_LIMIT = 10_000', replace: 'RANGE_LIMIT = 2' },
]

/** By the name that the replay command takes. In `direct`, audiences of several packed rows need no plan. */
export const WORLDS: Readonly<Record<string, readonly Change[]>> = {
  small: SMALL_WORLD,
  direct: SMALL_WORLD.map((change) =>
    change.find.startsWith('directFollowersMax') ? { ...change, replace: 'directFollowersMax: 5' } : change,
  ),
  plain: [],
}

/** Builds the history runner on an engine with these changes. */
export async function loadVariant(changes: readonly Change[]): Promise<typeof history> {
  const unused = new Set(changes)
  const result = await build({
    entryPoints: [path.join(ROOT, 'test/feed/history.ts')],
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
  return (await import(/* @vite-ignore */ pathToFileURL(out).href)) as typeof history
}
