/** Moments as text. */

/** Date, time of day, fraction of a second, and offset: RFC 3339, section 5.6. */
const RFC_3339 = /^(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:\.(\d+))?(?:[Zz]|([+-])([01]\d|2[0-3]):([0-5]\d))$/
const MINUTE_MS = 60_000

/**
 * Milliseconds since 1970 of a time as RFC 3339 writes it: all of date, time to the second, and `Z` or an offset
 * such as `+02:00` (`-00:00` is UTC). `t` and `z` may be small, a fraction may have any number of digits, of which
 * three count. `undefined` for everything else: days and hours that do not exist, and leap seconds, which the
 * clocks of computers have no place for.
 */
export function parseRfc3339(text: string): number | undefined {
  const parts = RFC_3339.exec(text)
  if (parts === null) return undefined
  const [, date, time, fraction = '', sign, hours, minutes] = parts
  const iso = `${date}T${time}.${fraction.slice(0, 3).padEnd(3, '0')}Z`
  const localMs = Date.parse(iso)
  // A day that does not exist is read as one of the next month, 24:00 as the next day.
  if (Number.isNaN(localMs) || new Date(localMs).toISOString() !== iso) return undefined
  if (sign === undefined) return localMs
  const offsetMs = (Number(hours) * 60 + Number(minutes)) * MINUTE_MS
  return sign === '+' ? localMs - offsetMs : localMs + offsetMs
}
