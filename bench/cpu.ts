/** Measures the CPU time that processes and the whole machine use between two moments, from Linux's counters. */

import { readFileSync } from 'node:fs'

/** Process ids by the names under which they are reported. */
export type Processes = Readonly<Record<string, readonly number[]>>

export interface CpuUse {
  readonly elapsedS: number
  /** User and system time, by name. */
  readonly secondsBy: Readonly<Record<string, number>>
  /** CPU time of all processes on this machine. */
  readonly machineS: number
}

export const LOAD_GENERATOR = 'load generator'

/** Starts a measurement. @returns a function that ends it */
export function measureCpu(processes: Processes): () => CpuUse {
  const startMs = performance.now()
  const before = secondsBy(processes)
  const machineBefore = machineSeconds()
  return () => {
    const after = secondsBy(processes)
    const spent = Object.keys(after).map((name) => [name, after[name] - before[name]] as const)
    return {
      elapsedS: (performance.now() - startMs) / 1_000,
      secondsBy: Object.fromEntries(spent),
      machineS: machineSeconds() - machineBefore,
    }
  }
}

function secondsBy(processes: Processes): Record<string, number> {
  const sums = Object.entries(processes).map(([name, pids]) => [
    name,
    pids.reduce((sum, pid) => sum + processSeconds(pid), 0),
  ])
  const { user, system } = process.cpuUsage()
  return { ...Object.fromEntries(sums), [LOAD_GENERATOR]: (user + system) / 1e6 }
}

const TICKS_A_SECOND = 100
/** Field numbers counted from behind the process name, which is in brackets and may contain spaces. */
const USER_FIELD = 11

function processSeconds(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[USER_FIELD]) + Number(fields[USER_FIELD + 1])) / TICKS_A_SECOND
}

/** All CPU time but idle time and time waiting for disks. */
function machineSeconds(): number {
  const [, user, nice, system, , , irq, softIrq] = readFileSync('/proc/stat', 'utf8').split(/\s+/).map(Number)
  return (user + nice + system + irq + softIrq) / TICKS_A_SECOND
}
