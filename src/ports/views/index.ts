/** `rivulet/ports/views`, for programs outside: the contract, and timelines in memory. */

export {
  createMemoryViews,
  memoryViewsBytesMin,
  type MemoryViews,
  type MemoryViewsOptions,
} from './memory/memory.ts'
export * from './views.ts'
