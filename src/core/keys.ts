/**
 * Store keys are ASCII strings that sort as the numbers in them do: base 36, fixed width. A descending
 * key inverts its number, so that "newest first" is a forward range on every store.
 */

import { ID_MAX } from './ids.ts'

const ID_LOW_WIDTH = 5
const ID_LOW_END = 36 ** ID_LOW_WIDTH
const ID_HIGH_WIDTH = 6 // 36 ** (5 + 6) > 2 ** 53
const U32_WIDTH = 7

/** In two halves: numbers of at most 31 bits become text several times as fast. */
export const idKey = (id: number): string =>
  Math.floor(id / ID_LOW_END)
    .toString(36)
    .padStart(ID_HIGH_WIDTH, '0') + (id % ID_LOW_END).toString(36).padStart(ID_LOW_WIDTH, '0')
export const idKeyDesc = (id: number): string => idKey(ID_MAX - id)
export const u32Key = (n: number): string => n.toString(36).padStart(U32_WIDTH, '0')
export const parseKey = (key: string): number => Number.parseInt(key, 36)
export const parseIdKeyDesc = (key: string): number => ID_MAX - parseKey(key)
