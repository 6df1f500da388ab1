/**
 * Numbers as sort keys of the store: ASCII in base 36 with a fixed width, so that the keys sort as the numbers do. A
 * descending key holds the inverted number: a forward range over such keys gives the newest first on every store.
 */

import { ID_MAX } from './ids.ts'

const ID_LOW_WIDTH = 5
const ID_LOW_END = 36 ** ID_LOW_WIDTH
const ID_HIGH_WIDTH = 6 // 36 ** (5 + 6) > 2 ** 53
const U32_WIDTH = 7

/** Written in two halves: V8 makes text of numbers up to 31 bits several times as fast. */
export const idKey = (id: number): string =>
  Math.floor(id / ID_LOW_END)
    .toString(36)
    .padStart(ID_HIGH_WIDTH, '0') + (id % ID_LOW_END).toString(36).padStart(ID_LOW_WIDTH, '0')
export const idKeyDesc = (id: number): string => idKey(ID_MAX - id)
export const u32Key = (n: number): string => n.toString(36).padStart(U32_WIDTH, '0')
export const parseKey = (key: string): number => Number.parseInt(key, 36)
export const parseIdKeyDesc = (key: string): number => ID_MAX - parseKey(key)
