/** The port `ephemeral` for programs: its contract, what any adapter refuses, and keys in memory. */

export * from './checks.ts'
export * from './ephemeral.ts'
export { createMemoryEphemeral, type MemoryEphemeralOptions } from './memory.ts'
