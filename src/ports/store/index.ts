/** `rivulet/ports/store`, for programs outside: the contract, its checks of arguments, the store in a folder and the one in memory. */

export { checked } from './checks.ts'
export { openLevelStore, type LevelStoreOptions } from './leveldb/leveldb.ts'
export {
  createMemoryDisk,
  createMemoryStore,
  type MemoryDisk,
  type MemoryStoreOptions,
} from './memory/memory.ts'
export * from './store.ts'
