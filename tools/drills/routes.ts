/**
 * Which API process each person's client asks: it writes through one process and reads through the next. Where clients
 * fail over, as behind a load balancer, they leave a process that refuses or does not answer for the next one.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { isNotDone, type Answer, type Client } from './client.ts'
import type { Operation } from './history.ts'

export type Kind = 'read' | 'write'

export interface Routes {
  readonly clients: readonly Client[]
  /** Drills set this and `patienceMs`. */
  failsOver: boolean
  patienceMs: number
  via(kind: Kind, person: number): number
  /** All clients return to the processes that they asked at first. */
  spread(): void
  /**
   * Sends an operation. Where clients fail over, sends it again: to another process, or to the same one while that
   * answers that the request is still under way.
   */
  ask(operation: Operation, asking: Asking): Promise<Answer>
}

export interface Asking {
  readonly kind: Kind
  readonly person: number
  /** Whether it may be sent again after an unknown outcome: it is a read, or has an idempotency key. */
  readonly mayRepeat: boolean
  /** The number of the page within a read: each page goes to the next process. */
  readonly page?: number
  send(client: Client, timeoutMs: number): Promise<Answer>
}

/** Longer than any deadline of the server. */
const PATIENCE_MS = 30_000
const RETRY_FOR_MS = 15_000
const RETRY_PAUSE_MS = 200
export const IN_FLIGHT = 'idempotency_in_flight'

export function createRoutes(clients: readonly Client[]): Routes {
  const moved = new Map<string, number>()
  const steps = (kind: Kind, person: number) => moved.get(`${kind} ${person}`) ?? 0

  const routes: Routes = {
    clients,
    failsOver: false,
    patienceMs: PATIENCE_MS,
    via: (kind, person) => (person + (kind === 'read' ? 1 : 0) + steps(kind, person)) % clients.length,
    spread: () => moved.clear(),
    async ask(operation, { kind, person, mayRepeat, page = 0, send }) {
      const untilMs = performance.now() + RETRY_FOR_MS
      let mayBeDone = false
      for (;;) {
        const first = routes.via(kind, person)
        // A client that fails over stays with the process that answers.
        operation.via = routes.failsOver ? first : (first + page) % clients.length
        const answer = await send(clients[operation.via], routes.patienceMs)
        const isOver = isNotDone(answer)
        const isUnderWay = mayBeDone && answer.code === IN_FLIGHT
        mayBeDone ||= answer.outcome === 'unknown' && !isOver
        const isWorthIt = isOver || isUnderWay || (answer.outcome === 'unknown' && mayRepeat)
        if (!routes.failsOver || !isWorthIt || performance.now() > untilMs)
          return mayBeDone && answer.outcome === 'fail' ? { ...answer, outcome: 'unknown' } : answer
        operation.retries = (operation.retries ?? 0) + 1
        // Another operation of the same person may have moved on already.
        if (!isUnderWay && routes.via(kind, person) === first)
          moved.set(`${kind} ${person}`, steps(kind, person) + 1)
        await sleep(RETRY_PAUSE_MS)
      }
    },
  }
  return routes
}
