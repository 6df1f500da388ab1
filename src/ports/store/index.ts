/** The port `store` for programs: its contract, what any adapter refuses, the store in a folder and the one in memory. */

export { checked } from './checks.ts'
export { openLevelStore, type LevelStoreOptions } from './leveldb/leveldb.ts'
export {
  createMemoryDisk,
  createMemoryStore,
  type MemoryDisk,
  type MemoryStoreOptions,
} from './memory/memory.ts'
export * from './store.ts'
