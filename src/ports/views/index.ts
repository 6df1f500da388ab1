/** The port `views` for programs: its contract, and timelines in memory. */

export {
  createMemoryViews,
  memoryViewsBytesMin,
  type MemoryViews,
  type MemoryViewsOptions,
} from './memory/memory.ts'
export * from './views.ts'
