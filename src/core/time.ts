/** Times as text: RFC 3339. */

/** Date, time of day, fraction of a second, and offset: RFC 3339, section 5.6. */
const RFC_3339 = /^(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:\.(\d+))?(?:[Zz]|([+-])([01]\d|2[0-3]):([0-5]\d))$/
const MINUTE_MS = 60_000

/**
 * Parses a time in RFC 3339, such as `2026-01-31T09:30:00.25+02:00`: a date, a time of day with seconds, and `Z` or an
 * offset (`-00:00` is UTC). `t` and `z` may be lower case. A fraction may have any number of digits, of which three
 * count. Leap seconds, which computer clocks do not have, are refused like days and hours that do not exist.
 * @returns milliseconds since 1970; `undefined` for any other text
 */
export function parseRfc3339(text: string): number | undefined {
  const parts = RFC_3339.exec(text)
  if (parts === null) return undefined
  const [, date, time, fraction = '', sign, hours, minutes] = parts
  const iso = `${date}T${time}.${fraction.slice(0, 3).padEnd(3, '0')}Z`
  const localMs = Date.parse(iso)
  // `Date.parse` takes 30 February for a day in March, and 24:00 for the next day.
  if (Number.isNaN(localMs) || new Date(localMs).toISOString() !== iso) return undefined
  if (sign === undefined) return localMs
  const offsetMs = (Number(hours) * 60 + Number(minutes)) * MINUTE_MS
  return sign === '+' ? localMs - offsetMs : localMs + offsetMs
}
