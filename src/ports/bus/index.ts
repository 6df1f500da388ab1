/** `rivulet/ports/bus`, for programs outside: the contract, and signals within one process. */

export * from './bus.ts'
export { createMemoryBus, type MemoryBus, type MemoryBusOptions } from './memory.ts'
