/** Requests to the server under test, each with the outcome that its answer, or the want of one, stands for. */

import type { Outcome } from './history.ts'

export interface Sending {
  /** Of an account; without one the application itself asks. */
  readonly token?: string | undefined
  readonly key?: string | undefined
  readonly body?: object
  readonly timeoutMs?: number
}

export interface Answer {
  readonly outcome: Outcome
  readonly status: number
  /** Of the problem, or of the connection's end. */
  readonly code: string
  // Answers have many shapes; what is read of them is checked by its use.
  // oxlint-disable-next-line no-explicit-any
  readonly json: any
}

export interface Client {
  call(method: string, path: string, sending?: Sending): Promise<Answer>
}

/** Longer than any deadline of the server's own. */
const TIMEOUT_MS = 30_000
const NOT_DONE_CODES: readonly string[] = ['unavailable', 'overloaded', 'shutting_down']

export function createClient(url: string, serverKey: string): Client {
  return {
    async call(method, path, { token = serverKey, key, body, timeoutMs = TIMEOUT_MS } = {}) {
      try {
        const response = await fetch(`${url}/api/v1${path}`, {
          method,
          signal: AbortSignal.timeout(timeoutMs),
          headers: {
            authorization: `Bearer ${token}`,
            ...(key !== undefined && { 'idempotency-key': key }),
            ...(body !== undefined && { 'content-type': 'application/json' }),
          },
          ...(body !== undefined && { body: JSON.stringify(body) }),
        })
        const json = await response.json()
        const code = response.ok ? '' : String((json as { code?: unknown }).code)
        return { outcome: outcomeOf(response.status, code), status: response.status, code, json }
      } catch (error) {
        return { outcome: 'unknown', status: 0, code: networkCode(error), json: undefined }
      }
    },
  }
}

/** Nothing was done: it may be asked of another one, with a key or without. */
export const isNotDone = ({ status, code }: Answer): boolean =>
  (status === 503 && NOT_DONE_CODES.includes(code)) || code === 'ECONNREFUSED'

function outcomeOf(status: number, code: string): Outcome {
  if (status >= 200 && status < 300) return 'ok'
  if (status >= 400 && status < 500) return 'fail'
  return status === 503 && NOT_DONE_CODES.includes(code) ? 'fail' : 'unknown'
}

/** `fetch` says only that it failed; why is in the cause. */
function networkCode(error: unknown): string {
  const { name, cause } = error as { name?: string; cause?: { code?: string; name?: string } }
  if (name === 'TimeoutError') return 'no_answer'
  return cause?.code ?? cause?.name ?? name ?? 'network'
}
