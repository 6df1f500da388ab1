/** The store under test, with what the suite's cases use to write, read and reopen it. */

import { expect } from 'vitest'
import { type ErrorCode, isRivuletError } from '../../../core/errors.ts'
import type { Env } from '../../env/env.ts'
import { createRealEnv } from '../../env/real.ts'
import type { Row, RowKey, RowWrite, Store, Table } from '../store.ts'
import { START_MS, VERSIONED } from './model.ts'

export type OpenStore = (options: { readonly place: string; readonly env: Env }) => Promise<Store>

let places = 0

export class Subject {
  store!: Store
  /** The wall clock of `env`: a test moves it by hand. */
  readonly clock = { wallMs: START_MS }
  readonly env: Env = { ...createRealEnv(), wallMs: () => this.clock.wallMs }
  readonly #openStore: OpenStore
  #place = ''

  constructor(openStore: OpenStore) {
    this.#openStore = openStore
  }

  /** An empty store in a new place, at `START_MS`. */
  async start(): Promise<void> {
    this.clock.wallMs = START_MS
    this.#place = `place-${places++}`
    await this.open()
  }

  /** In the same place as before. */
  async open(): Promise<void> {
    this.store = await this.#openStore({ place: this.#place, env: this.env })
  }

  async reopen(): Promise<void> {
    await this.store.close()
    await this.open()
  }

  async get(sort: string, more: Partial<RowKey> = {}): Promise<Row | undefined> {
    return (await this.store.get([{ table: VERSIONED, partition: 'p', sort, ...more }]))[0]
  }

  /** The sort keys of a range of one partition. */
  async range(from: string, to?: string, limit = 100, partition = 'p'): Promise<string[]> {
    const bounds = to === undefined ? { from } : { from, to }
    const [rows] = await this.store.range([{ table: VERSIONED, partition, limit, ...bounds }])
    return rows.map((each) => each.sort)
  }
}

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
export const text = (row: { value: Uint8Array } | undefined): string | undefined =>
  row && new TextDecoder().decode(row.value)

export function row(sort: string, version = 1, more: Partial<RowWrite> = {}): RowWrite {
  const value = bytes(`${sort}@${version}`)
  return { table: VERSIONED, partition: 'p', sort, version, value, ...more }
}

export async function expectCode(promise: Promise<unknown>, code: ErrorCode): Promise<void> {
  const error = await promise.then(
    () => undefined,
    (error: unknown) => error,
  )
  expect(isRivuletError(error, code), `expected ${code}, got ${String(error)}`).toBe(true)
}

/** Reads a whole table, page by page. */
export async function scanAll(store: Store, table: Table, limit: number): Promise<Row[]> {
  const rows: Row[] = []
  let after: RowKey | undefined
  for (;;) {
    const page = await store.scan(table, after, limit)
    expect(page.length).toBeLessThanOrEqual(limit)
    rows.push(...page)
    after = page.at(-1)
    if (after === undefined) return rows
  }
}
