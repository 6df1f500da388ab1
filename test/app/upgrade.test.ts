/** A data folder that version 0.1.0 wrote, and left without an orderly end, is served by this version. */

import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { gunzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { readConfig } from '../../src/app/config/config.ts'
import { examine } from '../../src/app/doctor/doctor.ts'
import { openRivulet } from '../../src/index.ts'
import { createRealEnv } from '../../src/ports/env/real.ts'

const FIXTURE = path.resolve(import.meta.dirname, '../fixtures/folder-0.1.0.json.gz')
const PEOPLE = ['ann', 'bob', 'cat', 'dan'] as const

interface Fixture {
  /** The files of the folder, as base 64. */
  readonly files: Readonly<Record<string, string>>
  /** Ids of posts, as the pages of 0.1.0 gave them. */
  readonly feeds: Readonly<Record<string, readonly string[]>>
  readonly posts: readonly string[]
}

async function unpacked(): Promise<{ folder: string; fixture: Fixture }> {
  const fixture = JSON.parse(gunzipSync(await readFile(FIXTURE)).toString()) as Fixture
  const folder = await mkdtemp(path.join(tmpdir(), 'rivulet-0.1.0-'))
  for (const [name, bytes] of Object.entries(fixture.files)) {
    const file = path.join(folder, name)
    await mkdir(path.dirname(file), { recursive: true })
    await writeFile(file, Buffer.from(bytes, 'base64'))
  }
  return { folder, fixture }
}

const open = (data: string) => openRivulet({ data })

async function feedsOf(rivulet: Awaited<ReturnType<typeof open>>): Promise<Record<string, string[]>> {
  const feeds: Record<string, string[]> = {}
  for (const name of PEOPLE) {
    const { posts } = await rivulet.as(`ext:${name}`).feed({ limit: 50 })
    feeds[name] = posts.map(({ id }) => id)
  }
  return feeds
}

test('feeds are as they were, writes go on, and doctor finds nothing wrong', async () => {
  const { folder, fixture } = await unpacked()
  const first = await open(folder)
  expect(await feedsOf(first)).toEqual(fixture.feeds)
  const fresh = await first.as('ext:ann').posts.create({ content: 'by the new version' })
  expect(BigInt(fresh.id)).toBeGreaterThan(BigInt(fixture.posts[6]))
  await first.settle()
  await first.close()
  const second = await open(folder)
  const feeds = await feedsOf(second)
  expect(feeds.cat).toEqual([fixture.feeds.cat[0], fresh.id, ...fixture.feeds.cat.slice(1)].sort().reverse())
  expect(feeds.dan).toEqual(fixture.feeds.dan)
  await second.close()
  const findings: unknown[] = []
  const isWell = await examine({
    env: createRealEnv(),
    config: readConfig({ options: { data: folder } }).config,
    readers: 4,
    progress: () => () => undefined,
    onFinding: (finding) => findings.push(finding),
    onFatal: () => undefined,
    onNotice: () => undefined,
  })
  expect(findings.filter((finding) => (finding as { wrong: number }).wrong > 0)).toEqual([])
  expect(isWell).toBe(true)
  await rm(folder, { recursive: true })
})
