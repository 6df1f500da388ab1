/**
 * A network of its own for the first node of a Redis cluster, so that it can be cut off from the other nodes while
 * clients still reach it: a namespace of the kernel, a pair of interfaces, and addresses of the range that is kept
 * for tests. Needs root.
 */

import { spawnSync } from 'node:child_process'
import { redisOn } from '../engines/redis.ts'
import type { EngineDefinition } from '../engines/engine.ts'

const CLIENTS = '198.18.0.1'
const CUT_OFF = '198.18.0.2'
/** Also of what they begin: clients must not share it. */
const OTHERS = '198.18.0.3'
const MASK = 29
/** Without a password it would speak to its own machine's loopback only. */
const OPEN = ['--protected-mode', 'no']

export interface SplitNetwork {
  readonly redis: EngineDefinition
  up(): void
  /** Nothing passes between the first node and the others. */
  cut(): void
  heal(): void
  /** Also what is not there, or only half. */
  down(): void
}

export function createSplitNetwork(): SplitNetwork {
  const name = `rivulet-drill-${process.pid}`
  // Names of interfaces are short.
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
      // The interfaces go with it.
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
