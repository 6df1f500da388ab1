/** `rivulet/ports/env`, for programs outside: the contract, the machine's own clock and timers, and simulated ones. */

export * from './env.ts'
export { createRealEnv } from './real.ts'
export { createSimulatedEnv, type SimulatedEnv, type SimulatedEnvOptions } from './simulated.ts'
