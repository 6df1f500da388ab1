/** What an account says of itself, and the checks that commands and the import make of it. */

import { LIMITS } from '../../core/limits.ts'
import { isHandle } from '../../core/names.ts'
import { checkText, invalid, isInvisible, textFault } from '../../core/text.ts'

export interface Profile {
  readonly handle?: string | undefined
  readonly displayName?: string | undefined
  readonly bio?: string | undefined
}

export interface NewAccount extends Profile {
  readonly externalId?: string | undefined
}

/** Throws `invalid_request` for a field that breaks its limits. */
export function checkProfile({ handle, displayName, bio, externalId }: NewAccount): void {
  if (handle !== undefined) checkHandle(handle)
  if (externalId !== undefined) checkExternalId(externalId)
  const fault = displayName === undefined ? undefined : displayNameFault(displayName)
  if (fault !== undefined) throw invalid('/display_name', fault)
  if (bio !== undefined) {
    const { bioGraphemesMax: graphemesMax, bioBytesMax: bytesMax } = LIMITS
    checkText(bio, { path: '/bio', graphemesMax, bytesMax })
  }
}

/**
 * What is wrong with a display name; `undefined` if nothing is. The empty name removes one; a name of invisible
 * characters only is refused, because it would look empty and not be so.
 */
export function displayNameFault(displayName: string): string | undefined {
  const { displayNameGraphemesMax: graphemesMax, displayNameBytesMax: bytesMax } = LIMITS
  const isHidden = displayName !== '' && isInvisible(displayName)
  if (isHidden) return 'must contain a visible character, or be empty'
  return textFault(displayName, { graphemesMax, bytesMax })
}

function checkHandle(handle: string): void {
  if (isHandle(handle)) return
  throw invalid(
    '/handle',
    `must be 1 to ${LIMITS.handleLengthMax} letters, digits, "_", "." or "-", and not begin with "." or "-"`,
  )
}

/** What is wrong with an external id: empty, too long, ill-formed, or with control characters; else `undefined`. */
export function externalIdFault(externalId: string): string | undefined {
  if (externalId === '') return 'must not be empty'
  const fault = textFault(externalId, { codePointsMax: LIMITS.externalIdCodePointsMax })
  return fault ?? (/\p{Cc}/u.test(externalId) ? 'must not contain control characters' : undefined)
}

export function checkExternalId(externalId: string, path = '/external_id'): void {
  const fault = externalIdFault(externalId)
  if (fault !== undefined) throw invalid(path, fault)
}
