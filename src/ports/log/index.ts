/** `rivulet/ports/log`, for programs outside: the contract, its checks of arguments, the log in a folder and the one in memory. */

export * from './append-checks.ts'
export * from './log.ts'
export {
  createMemoryDisk,
  createMemoryLog,
  type MemoryDisk,
  type MemoryLog,
  type MemoryLogOptions,
} from './memory/memory.ts'
export { openSegmentLog, type SegmentLogOptions } from './segments/segments.ts'
