/** Views of other domains live beside the timelines, and survive a clean stop as those do. */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, test } from 'vitest'
import { readConfig } from '../../../src/app/config/config.ts'
import { createRealEnv, openPorts } from '../../../src/app/ports/open.ts'
import { homeView } from '../../../src/feed/index.ts'

const inbox = { name: 'inbox', capacity: 500, keep: 'latest' } as const
const [OWNER, CONVERSATION] = [7, 3]

async function open(folder: string) {
  const { config } = readConfig({ options: { data: folder } })
  const onFatal = (error: unknown) => {
    throw error
  }
  const ports = await openPorts({
    env: createRealEnv(),
    config,
    onFatal,
    onNotice: () => undefined,
    keepsTimelines: true,
    viewSpecs: [homeView, inbox],
  })
  const view = ports.otherViews.get('inbox')
  if (view === undefined) throw new Error('the inbox is not open')
  return { ports, view }
}

test('a view that keeps the latest of each ref is found again by the next process', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'rivulet-views-'))
  const first = await open(folder)
  const [epoch] = await first.view.open([OWNER])
  await first.view.settle(OWNER, epoch, 0)
  for (const id of [11, 12])
    await first.view.insert([{ id, ref: CONVERSATION, kind: 0, owners: Uint32Array.of(OWNER) }])
  await first.view.advance(new Map([[0, 12]]))
  expect(await first.ports.views.range(OWNER, Infinity, 10)).toBeUndefined()
  await first.ports.close()
  const second = await open(folder)
  expect(await second.view.adopt(new Map([[0, 12]]))).toBe(true)
  const page = await second.view.range(OWNER, Infinity, 10)
  expect([...(page?.entries.ids ?? [])].slice(0, page?.entries.length)).toEqual([12])
  await second.ports.close()
  await rm(folder, { recursive: true })
})
