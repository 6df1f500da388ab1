/**
 * The calls of `append` that are not answered yet, and their deadlines. A call is split into pieces, one or more for each
 * partition. It is answered when its last piece is in the log.
 */

import type { MessageRecord } from '@platformatic/kafka'
import { RivuletError } from '../../../core/errors.ts'
import type { Env } from '../../env/env.ts'

export interface Call {
  readonly positions: number[]
  readonly pieces: Piece[]
  readonly deadlineMs: number
  readonly resolve: (positions: readonly number[]) => void
  readonly reject: (error: RivuletError) => void
  piecesLeft: number
  answered: boolean
}

/** Records of one call and one partition that go into one batch. */
export interface Piece {
  readonly call: Call
  /** The indexes of the records in the call. */
  readonly indexes: readonly number[]
  readonly records: readonly MessageRecord[]
  readonly bytes: number
  /** Only a queued piece can be withdrawn: one that was sent to a broker may be in the log. */
  state: 'queued' | 'sent' | 'withdrawn'
}

const CHECK_MS = 100

export interface CallsOptions {
  readonly env: Env
  readonly onWithdrawn: (piece: Piece) => void
  /** Called after pieces were withdrawn, so that the queues drop them. */
  readonly onSwept: () => void
  /** Says what goes wrong at the moment, for the cause of an error. */
  readonly trouble: () => string
}

export class Calls {
  readonly #options: CallsOptions
  /** In the order of their deadlines. */
  readonly #open = new Set<Call>()
  #timer: { cancel(): void } | undefined
  #wakeIdle: (() => void)[] = []

  constructor(options: CallsOptions) {
    this.#options = options
  }

  add(call: Call): void {
    this.#open.add(call)
    this.#timer ??= this.#options.env.timer(CHECK_MS, () => this.#checkDeadlines())
  }

  /** The piece is in the log, its records from position `base` on. */
  stored({ call, indexes }: Piece, base: number): void {
    indexes.forEach((index, n) => (call.positions[index] = base + n))
    call.piecesLeft--
    if (call.piecesLeft === 0 && this.#close(call)) call.resolve(call.positions)
  }

  /** The piece is in the log, but its positions are not known. */
  storedSomewhere({ call }: Piece): void {
    if (this.#close(call)) call.reject(this.#unknown())
  }

  /** Rejects all open calls at once, because the log has failed or is closed. */
  rejectAll(): void {
    for (const call of [...this.#open]) this.#expire(call)
  }

  /** Resolves when every call is answered: at the latest by its deadline. */
  idle(): Promise<void> {
    if (this.#open.size === 0) return Promise.resolve()
    return new Promise((resolve) => this.#wakeIdle.push(resolve))
  }

  #close(call: Call): boolean {
    if (call.answered) return false
    call.answered = true
    this.#open.delete(call)
    if (this.#open.size === 0) {
      this.#timer?.cancel()
      this.#timer = undefined
      for (const wake of this.#wakeIdle.splice(0)) wake()
    }
    return true
  }

  #checkDeadlines(): void {
    this.#timer = undefined
    const nowMs = this.#options.env.monotonicMs()
    const { size } = this.#open
    for (const call of this.#open) {
      if (call.deadlineMs > nowMs) break
      this.#expire(call)
    }
    if (this.#open.size < size) this.#options.onSwept()
    if (this.#open.size > 0) {
      this.#timer ??= this.#options.env.timer(CHECK_MS, () => this.#checkDeadlines())
    }
  }

  #expire(call: Call): void {
    let withdrawn = 0
    for (const piece of call.pieces) {
      if (piece.state !== 'queued') continue
      piece.state = 'withdrawn'
      withdrawn++
      this.#options.onWithdrawn(piece)
    }
    if (!this.#close(call)) return
    call.reject(withdrawn === call.pieces.length ? this.#notTaken() : this.#unknown())
  }

  #notTaken(): RivuletError {
    const cause = new Error(`Kafka: ${this.#options.trouble()}`)
    const message = 'the log takes no records at the moment; nothing was written, so retry'
    return new RivuletError('unavailable', message, { retryAfterMs: 1_000, cause })
  }

  #unknown(): RivuletError {
    const cause = new Error(`Kafka: ${this.#options.trouble()}`)
    const message = 'the log has not confirmed the write in time; it may or may not have been made'
    return new RivuletError('outcome_unknown', message, { cause })
  }
}
