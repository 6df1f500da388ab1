/**
 * Store keys are ASCII strings that sort as the numbers in them do: base 36, fixed width. A descending
 * key inverts its number, so that "newest first" is a forward range on every store.
 */

import { ID_MAX } from './ids.ts'

const ID_WIDTH = 11 // 36 ** 11 > 2 ** 53
const U32_WIDTH = 7

export const idKey = (id: number): string => id.toString(36).padStart(ID_WIDTH, '0')
export const idKeyDesc = (id: number): string => idKey(ID_MAX - id)
export const u32Key = (n: number): string => n.toString(36).padStart(U32_WIDTH, '0')
export const parseKey = (key: string): number => Number.parseInt(key, 36)
export const parseIdKeyDesc = (key: string): number => ID_MAX - parseKey(key)
