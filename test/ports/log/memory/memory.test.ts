import { describe, expect, it } from 'vitest'
import { createSimulatedEnv } from '../../../../src/ports/env/simulated.ts'
import { logConformance } from '../../../../src/ports/log/conformance.ts'
import { createMemoryDisk, createMemoryLog, type MemoryLog } from '../../../../src/ports/log/memory/memory.ts'

const startMs = Date.UTC(2030, 0, 1)

for (const partitions of [1, 3]) {
  logConformance({
    name: `memory, ${partitions} partition(s)`,
    supports: { overload: true },
    async create() {
      const env = createSimulatedEnv({ seed: 1, startMs })
      const disk = createMemoryDisk()
      let log: MemoryLog
      return {
        open: async () => (log = createMemoryLog({ env, partitions, disk, unsyncedBytesMax: 20_000_000 })),
        crash: async () => log.crash(),
      }
    },
  })
}

describe('the memory log', () => {
  const record = (key: number, text: string) => ({ key, value: Buffer.from(text) })

  it('puts a key into the partition key modulo partitions', async () => {
    const log = createMemoryLog({ env: createSimulatedEnv({ seed: 1, startMs }), partitions: 4 })
    await log.append([record(6, 'six')])
    const batch = await (await log.consumer('g')).next(1)
    expect(batch?.partition).toBe(2)
  })

  it('loses the commits of the last second in a crash, and no older ones', async () => {
    const env = createSimulatedEnv({ seed: 1, startMs })
    const disk = createMemoryDisk()
    const log = createMemoryLog({ env, partitions: 1, disk })
    const positions = await log.append([record(1, 'a'), record(1, 'b'), record(1, 'c')])
    const consumer = await log.consumer('g')
    await consumer.commit(0, positions[1])
    env.advance(1_000)
    await consumer.commit(0, positions[2])
    log.crash()
    const again = await createMemoryLog({ env, partitions: 1, disk }).consumer('g')
    expect((await again.next(1))?.positions).toEqual([positions[1]])
  })

  it('keeps in a crash, depending on the seed, the first few of the pending records, or none, or all', async () => {
    const survivors = new Set<number>()
    for (let seed = 0; seed < 40; seed++) {
      const disk = createMemoryDisk()
      const log = createMemoryLog({ env: createSimulatedEnv({ seed, startMs }), partitions: 1, disk })
      const pending = log.append([record(1, '0'), record(1, '1'), record(1, '2')])
      const rejected = expect(pending).rejects.toMatchObject({ code: 'outcome_unknown' })
      log.crash()
      await rejected
      const values = disk.partitions[0].records.map(({ value }) => Buffer.from(value).toString())
      expect(values).toEqual(['0', '1', '2'].slice(0, values.length))
      survivors.add(values.length)
    }
    expect(survivors).toEqual(new Set([0, 1, 2, 3]))
  })

  it('releases what is old, released and read', async () => {
    const env = createSimulatedEnv({ seed: 1, startMs })
    const log = createMemoryLog({ env, partitions: 1, retentionMs: 1_000 })
    const [, second] = await log.append([record(1, 'a'), record(1, 'b')])
    const { end } = (await log.bounds())[0]
    await log.release([end])
    expect((await log.bounds())[0].start).toBe(0)
    env.advance(2_000)
    await log.release([second])
    expect((await log.bounds())[0]).toEqual({ start: second, end })
    expect((await (await log.consumer('g')).next(9))?.positions).toEqual([second])
  })

  it('releases what only a follower has not read, which goes on at the oldest record', async () => {
    const env = createSimulatedEnv({ seed: 1, startMs })
    const log = createMemoryLog({ env, partitions: 1, retentionMs: 1_000 })
    const [first, second] = await log.append([record(1, 'a'), record(1, 'b')])
    const follower = await log.follow()
    await follower.seek(0, first)
    env.advance(2_000)
    await log.release([second])
    expect((await log.bounds())[0].start).toBe(second)
    expect((await follower.next(9))?.positions).toEqual([second])
  })

  it('raises its epoch, never lowers it', async () => {
    const env = createSimulatedEnv({ seed: 1, startMs })
    const disk = createMemoryDisk()
    expect(createMemoryLog({ env, partitions: 1, disk }).epoch).toBe(1)
    expect(createMemoryLog({ env, partitions: 1, disk, epoch: 5 }).epoch).toBe(5)
    expect(createMemoryLog({ env, partitions: 1, disk }).epoch).toBe(5)
    expect(() => createMemoryLog({ env, partitions: 1, disk, epoch: 4 })).toThrow()
  })
})
