/** `rivulet/ports/ephemeral`, for programs outside: the contract, its checks of arguments, and keys in memory. */

export * from './checks.ts'
export * from './ephemeral.ts'
export { createMemoryEphemeral, type MemoryEphemeralOptions } from './memory.ts'
