import { inject } from 'vitest'
import { logConformance } from '../../../src/ports/log/conformance.ts'
import { createTopic } from './kafka-support.ts'

const brokers = inject('engines').kafka ?? []

for (const partitions of [1, 3]) {
  logConformance({
    name: `Kafka, ${partitions} partition(s)`,
    supports: { overload: true },
    async create() {
      const topic = await createTopic(brokers, partitions)
      return { open: () => topic.open({ queuedBytesMax: 20_000_000 }), remove: () => topic.remove() }
    },
  })
}
