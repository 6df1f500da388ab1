/**
 * What handles and external ids may look like, as regular expressions with the flag `u`: a character is a Unicode code
 * point. The OpenAPI document contains these same patterns, so that it says what is checked.
 */

import { LIMITS } from './limits.ts'

export const HANDLE_PATTERN = `^[A-Za-z0-9_][A-Za-z0-9_.-]{0,${LIMITS.handleLengthMax - 1}}$`
/** Anything but control characters. */
export const EXTERNAL_ID_PATTERN = `^[^\\u0000-\\u001f\\u007f-\\u009f]{1,${LIMITS.externalIdCodePointsMax}}$`

const HANDLE = new RegExp(HANDLE_PATTERN, 'u')

export const isHandle = (text: string): boolean => HANDLE.test(text)
