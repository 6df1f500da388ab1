/** The port `env` for programs: its contract, the machine's own, and one that moves only when it is told to. */

export * from './env.ts'
export { createRealEnv } from './real.ts'
export { createSimulatedEnv, type SimulatedEnv, type SimulatedEnvOptions } from './simulated.ts'
