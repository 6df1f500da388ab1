/**
 * The rows of a fan-out. Each fan-out has tables of its own, made from its name; those of the home feed have no name in
 * front, as version 0.1.0 wrote them. A domain lists them in its spec.
 */

import { bool, f64Array, list, struct, u32, u53, u8, type Codec } from '../../core/codec.ts'
import { idKey, u32Key } from '../../core/keys.ts'
import { defineTable } from '../rows/tables.ts'

/** How rows hold the keys of audiences: dense numbers, such as those of accounts, or ids of events. */
export interface KeyFormat {
  readonly codec: Codec<number>
  text(key: number): string
}
export const NUMBER_KEYS: KeyFormat = { codec: u32, text: u32Key }
export const ID_KEYS: KeyFormat = { codec: u53, text: idKey }

/** For lanes that freeze nothing with a plan. */
export const NOTHING: Codec<undefined> = {
  fallback: undefined,
  write: () => undefined,
  read: () => undefined,
}

const tableName = (name: string, table: string): string => (name === '' ? table : `${name}_${table}`)

/**
 * @param name comes before the names of the tables: lower-case letters, digits and underscores
 * @param frozen what the domain's lanes decide by. It is stored with a plan, so that it stays the same while the plan
 * runs, in whatever process.
 */
export function defineFanoutTables<F>(name: string, keys: KeyFormat, frozen: Codec<F>) {
  return {
    /** How far the fan-out of an event has come: counts, and the set of done chunks of its plan. */
    receipts: defineTable({
      name: tableName(name, 'receipts'),
      partition: (id: number) => idKey(id),
      value: receipt(keys),
    }),
    /** The chunks of a large fan-out: fixed key ranges of members, so that progress is a set of chunks. */
    plans: defineTable({
      name: tableName(name, 'plans'),
      partition: (id: number) => idKey(id),
      value: plan(keys, frozen),
    }),
    /** Large fan-outs that are not finished: after a restart they go on. */
    openPlans: defineTable({
      name: tableName(name, 'open_plans'),
      partition: (_id: number) => 'open',
      sort: (id: number) => idKey(id),
      value: struct({ id: u53, open: bool }),
    }),
  }
}

const receipt = ({ codec: key }: KeyFormat) =>
  struct({
    /** The event's. */
    id: u53,
    /** The audience's. */
    key,
    /** 0 pushed, 1 pulled. */
    tier: u8,
    share: u8,
    planned: u32,
    done: u32,
    skipped: u32,
    /** Members served, by lane. */
    lanes: list(u32),
    /** 0 while the fan-out is under way. */
    doneAtMs: u53,
    /** One bit for each (lane, chunk). */
    doneChunks: list(u32),
    /** Of the plan whose chunks they are. */
    fingerprint: u32,
  })

const plan = <F>({ codec: key }: KeyFormat, frozen: Codec<F>) =>
  struct({
    id: u53,
    key,
    kind: u32,
    share: u8,
    chunks: list(struct({ bucket: u32, from: u32, to: u53 })),
    version: u53,
    frozen,
  })

export type FanoutTables<F> = ReturnType<typeof defineFanoutTables<F>>
export type Receipt = ReturnType<FanoutTables<unknown>['receipts']['decode']>
export type Plan<F = unknown> = ReturnType<FanoutTables<F>['plans']['decode']>

/** By key: an override of push or pull, and to how many eighths of the audience events are pushed (`policy.ts`). */
export const defineTiersTable = (name: string, { codec, text }: KeyFormat) =>
  defineTable({
    name: tableName(name, 'tiers'),
    partition: text,
    value: struct({ number: codec, override: u8, share: u8 }),
  })
export type TiersTable = ReturnType<typeof defineTiersTable>

/** By key, for n = 0 … 7: the newest event that was not pushed to members beyond a share of n eighths (`marks.ts`). */
export const defineMarksTable = (name: string, { codec, text }: KeyFormat) =>
  defineTable({
    name: tableName(name, 'marks'),
    partition: text,
    value: struct({ number: codec, marks: f64Array }),
  })
export type MarksTable = ReturnType<typeof defineMarksTable>
