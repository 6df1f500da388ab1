/** The data folder: created once, owned by one process, refused when it is not Rivulet's or has a newer format. */

import { type ChildProcess, spawn } from 'node:child_process'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest'
import { FORMAT, openDataFolder } from '../../../src/app/ports/data-folder.ts'
import { RivuletError } from '../../../src/core/errors.ts'
import { createRealEnv } from '../../../src/ports/env/real.ts'
import { createSimulatedEnv } from '../../../src/ports/env/simulated.ts'
import { bundled } from '../../support/bundle.ts'

const env = createRealEnv()
const CHILD = await bundled(join(import.meta.dirname, 'data-folder-child.ts'))

let root: string
let folder: string
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'rivulet-data-'))
  folder = join(root, 'deep', 'data')
})
afterEach(() => rm(root, { recursive: true, force: true }))

async function refusal(): Promise<RivuletError> {
  const error = await openDataFolder({ folder, env }).then(
    () => undefined,
    (error: unknown) => error,
  )
  expect(error).toBeInstanceOf(RivuletError)
  return error as RivuletError
}

const children = new Set<ChildProcess>()
afterAll(() => children.forEach((child) => child.kill('SIGKILL')))

async function startChild() {
  const child = spawn(process.execPath, [CHILD, folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.add(child)
  const ended = new Promise<void>((resolve) => child.on('close', () => resolve()))
  const said = await new Promise<string>((resolve) =>
    child.stdout.once('data', (data) => resolve(String(data))),
  )
  const kill = async () => {
    child.kill('SIGKILL')
    await ended
  }
  return { pid: child.pid, said: said.trim(), kill }
}

test('a new folder is made for its owner alone, with its format and the folders of store and log', async () => {
  const simulated = createSimulatedEnv({ seed: 1, startMs: 1_800_000_000_000 })
  const data = await openDataFolder({ folder, env: simulated })
  expect(data).toMatchObject({ folder, storeFolder: join(folder, 'store'), logFolder: join(folder, 'log') })
  for (const each of [folder, data.storeFolder, data.logFolder]) {
    expect((await stat(each)).mode & 0o777).toBe(0o700)
  }
  expect(JSON.parse(await readFile(join(folder, 'format.json'), 'utf8'))).toEqual({
    format: FORMAT,
    created_at_ms: 1_800_000_000_000,
  })
  await data.close()
  expect((await readdir(folder)).sort()).toEqual(['format.json', 'lock', 'log', 'store'])
})

test('it opens again, and its format file is not written again', async () => {
  await (await openDataFolder({ folder, env })).close()
  const before = await readFile(join(folder, 'format.json'), 'utf8')
  await (await openDataFolder({ folder, env })).close()
  expect(await readFile(join(folder, 'format.json'), 'utf8')).toBe(before)
})

test('an empty folder, a new disk, and a folder after an interrupted first start are accepted', async () => {
  await mkdir(join(folder, 'lost+found'), { recursive: true })
  await mkdir(join(folder, 'lock'))
  await writeFile(join(folder, 'format.json.tmp'), '{"for')
  await (await openDataFolder({ folder, env })).close()
})

test('a folder with other things in it is refused and left alone', async () => {
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'holiday.jpg'), 'x')
  const error = await refusal()
  expect(error.code).toBe('config_invalid')
  expect(error.message).toContain(folder)
  expect(error.message).toContain('holiday.jpg')
  expect(await readdir(folder)).toEqual(['holiday.jpg'])
})

test('a newer format is refused with both numbers, before anything is touched', async () => {
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'format.json'), '{"format":7,"something":"new"}')
  const error = await refusal()
  expect(error.code).toBe('data_newer_format')
  expect(error.message).toMatch(/format 7.*up to 1.*newer version/)
  expect(await readdir(folder)).toEqual(['format.json'])
})

test.each(['', '{', 'null', '{"format":"1"}', '{"format":0}', '[]'])(
  'a damaged format file: %j',
  async (content) => {
    await mkdir(folder, { recursive: true })
    await writeFile(join(folder, 'format.json'), content)
    const error = await refusal()
    expect(error.code).toBe('data_corrupt')
    expect(error.message).toContain('format.json')
  },
)

test('a file in place of the folder is refused with its path', async () => {
  await mkdir(join(root, 'deep'))
  await writeFile(folder, 'x')
  const error = await refusal()
  expect(error.code).toBe('disk_error')
  expect(error.message).toContain(folder)
})

test('a second process is told who owns the folder, and gets it once the owner was killed', async () => {
  const child = await startChild()
  expect(child.said).toBe('open')
  const error = await refusal()
  expect(error.code).toBe('data_locked')
  expect(error.message).toContain(folder)
  expect(error.message).toContain(`process ${child.pid}`)
  await child.kill()

  const data = await openDataFolder({ folder, env })
  expect((await refusal()).message).toContain(`process ${process.pid}`)
  const other = await startChild()
  expect(other.said).toBe('data_locked')
  await data.close()
  const next = await startChild()
  expect(next.said).toBe('open')
  await next.kill()
})

test('without a readable owner file the refusal still stands', async () => {
  const data = await openDataFolder({ folder, env })
  await writeFile(join(folder, 'owner.json'), 'nonsense')
  expect((await refusal()).message).toContain('another process')
  await data.close()
})

test('the error for a damaged lock says that it may be deleted', async () => {
  await (await openDataFolder({ folder, env })).close()
  await writeFile(join(folder, 'lock', 'CURRENT'), 'garbage')
  const error = await refusal()
  expect(error.code).toBe('data_corrupt')
  expect(error.message).toContain('delete that folder')
  await rm(join(folder, 'lock'), { recursive: true })
  await (await openDataFolder({ folder, env })).close()
})

test('of many openers at once, one wins', async () => {
  const tries = await Promise.allSettled(Array.from({ length: 8 }, () => openDataFolder({ folder, env })))
  const winners = tries.filter((each) => each.status === 'fulfilled')
  const codes = tries.filter((each) => each.status === 'rejected').map((each) => each.reason.code)
  expect(winners.length).toBe(1)
  expect(new Set(codes)).toEqual(new Set(['data_locked']))
  await winners[0].value.close()
})

test.skipIf(process.getuid?.() === 0)('a folder without rights is a disk error that says so', async () => {
  await mkdir(folder, { recursive: true })
  await chmod(folder, 0o500)
  expect((await refusal()).code).toBe('disk_error')
  await chmod(folder, 0o700)
})
