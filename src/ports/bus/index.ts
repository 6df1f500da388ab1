/** The port `bus` for programs: its contract, and signals within a process. */

export * from './bus.ts'
export { createMemoryBus, type MemoryBus, type MemoryBusOptions } from './memory.ts'
