/**
 * Puts the first node of a Redis cluster into a network of its own, so that it can be cut off from the other nodes while
 * clients still reach it. This takes a network namespace, a pair of virtual interfaces, addresses of the range that is
 * reserved for tests, and root.
 */

import { spawnSync } from 'node:child_process'
import { redisOn } from '../engines/redis.ts'
import type { EngineDefinition } from '../engines/engine.ts'

const CLIENTS = '198.18.0.1'
const CUT_OFF = '198.18.0.2'
/** The other nodes also open connections from this address, and clients do not: so routing can tell them apart. */
const OTHERS = '198.18.0.3'
const MASK = 29
/** Otherwise a Redis without a password only accepts connections over loopback. */
const OPEN = ['--protected-mode', 'no']

export interface SplitNetwork {
  readonly redis: EngineDefinition
  up(): void
  /** Nothing passes between the first node and the others. */
  cut(): void
  heal(): void
  /** Removes the network, also one that is only half set up or does not exist. */
  down(): void
}

export function createSplitNetwork(): SplitNetwork {
  const name = `rivulet-drill-${process.pid}`
  // Names of interfaces have at most 15 characters.
  const [here, there] = [`rva${process.pid}`, `rvb${process.pid}`]
  const route = ['-n', name, 'route']
  return {
    redis: redisOn({
      hostOf: (index) => (index === 0 ? CUT_OFF : OTHERS),
      argsOf: (index) => [...OPEN, ...(index === 0 ? [] : ['--bind-source-addr', OTHERS])],
      within: (index) => (index === 0 ? ['ip', 'netns', 'exec', name] : []),
    }),
    up() {
      ip('netns', 'add', name)
      ip('link', 'add', here, 'type', 'veth', 'peer', 'name', there, 'netns', name)
      for (const address of [CLIENTS, OTHERS]) ip('addr', 'add', `${address}/${MASK}`, 'dev', here)
      ip('-n', name, 'addr', 'add', `${CUT_OFF}/${MASK}`, 'dev', there)
      ip('link', 'set', here, 'up')
      ip('-n', name, 'link', 'set', there, 'up')
      ip('-n', name, 'link', 'set', 'lo', 'up')
    },
    cut: () => ip(...route, 'add', 'blackhole', `${OTHERS}/32`),
    heal: () => ip(...route, 'del', 'blackhole', `${OTHERS}/32`),
    down() {
      // This removes both interfaces, too.
      spawnSync('ip', ['netns', 'del', name], { stdio: 'ignore' })
    },
  }
}

function ip(...args: string[]): void {
  const { status, stderr, error } = spawnSync('ip', args, { encoding: 'utf8' })
  if (status === 0) return
  throw new Error(
    `ip ${args.join(' ')}: ${error?.message ?? stderr.trim()} (this drill needs root and iproute2)`,
  )
}
