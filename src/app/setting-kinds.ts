/** What a setting may be: each kind reads text and says in words what it takes. */

export interface Kind<T> {
  /** Completes the sentence "allowed is …". */
  readonly allowed: string
  /** @returns nothing for text that is not allowed */
  parse(text: string): T | undefined
}

export const whole = (min: number, max: number): Kind<number> => ({
  allowed: `a whole number from ${min} to ${max}`,
  parse(text) {
    const value = /^[0-9]{1,15}$/.test(text) ? Number(text) : Number.NaN
    return value >= min && value <= max ? value : undefined
  },
})

export const choice = <const T extends string>(...values: readonly T[]): Kind<T> => ({
  allowed: `one of ${values.join(', ')}`,
  parse: (text) => values.find((value) => value === text),
})

export const path: Kind<string> = {
  allowed: 'a path',
  parse: (text) => (text.includes('\0') ? undefined : text),
}

export const host: Kind<string> = {
  allowed: 'a host name or an IP address',
  parse: (text) => (/^[A-Za-z0-9.:_-]{1,253}$/.test(text) ? text : undefined),
}

export const optional = <T>(kind: Kind<T>): Kind<T | undefined> => kind

export const secret = (charsMin: number): Kind<string> => ({
  allowed: `${charsMin} to 256 printable ASCII characters without spaces`,
  parse: (text) => (text.length >= charsMin && /^[\x21-\x7e]{1,256}$/.test(text) ? text : undefined),
})

export const origins: Kind<readonly string[]> = {
  allowed: 'origins such as https://app.example, separated by commas',
  parse(text) {
    const values = text.split(',').map((value) => value.trim())
    return values.every(isOrigin) ? values : undefined
  },
}

const isOrigin = (text: string): boolean =>
  /^https?:\/\//.test(text) && URL.canParse(text) && new URL(text).origin === text
