/** Sends requests to a server under test, and tells from the answer, or from its absence, what the outcome is. */

import type { Outcome } from './history.ts'

export interface Sending {
  /** The token of an account. Without one, the request is made with the server key. */
  readonly token?: string | undefined
  readonly key?: string | undefined
  readonly body?: object
  readonly timeoutMs?: number
}

export interface Answer {
  readonly outcome: Outcome
  readonly status: number
  /** The code of the server's error, or how the connection ended. */
  readonly code: string
  // Answers have many shapes, and a wrong one shows where its fields are used.
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

/** Whether nothing was done, so that another process can be asked even without an idempotency key. */
export const isNotDone = ({ status, code }: Answer): boolean =>
  (status === 503 && NOT_DONE_CODES.includes(code)) || code === 'ECONNREFUSED'

function outcomeOf(status: number, code: string): Outcome {
  if (status >= 200 && status < 300) return 'ok'
  if (status >= 400 && status < 500) return 'fail'
  return status === 503 && NOT_DONE_CODES.includes(code) ? 'fail' : 'unknown'
}

/** `fetch` only says that it failed; the reason is in the error's cause. */
function networkCode(error: unknown): string {
  const { name, cause } = error as { name?: string; cause?: { code?: string; name?: string } }
  if (name === 'TimeoutError') return 'no_answer'
  return cause?.code ?? cause?.name ?? name ?? 'network'
}
