/** Kinds of settings: each parses the text of a setting, and says in words what is allowed. */

export interface Kind<T> {
  /** Completes the sentence "allowed is …". */
  readonly allowed: string
  /** @returns `undefined` for text that is not allowed */
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
  parse: (text) => (text.includes('\0') || text.trim() === '' ? undefined : text),
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

/** `host:port` of one or more servers, with or without `scheme://` before them. */
export const nodes = (scheme: string, portDefault: number): Kind<readonly string[]> => ({
  allowed: `host:port of one or more servers, separated by commas, such as ${scheme}://10.0.0.1:${portDefault},10.0.0.2:${portDefault}; users and passwords have settings of their own`,
  parse(text) {
    const rest = text.startsWith(`${scheme}://`) ? text.slice(scheme.length + 3) : text
    const values = rest.split(',').map((value) => value.trim())
    const whole = values.map((value) => (/:\d+$/.test(value) ? value : `${value}:${portDefault}`))
    return whole.every(isNode) ? whole : undefined
  },
})

const isNode = (text: string): boolean => {
  const [, address, port] = /^([A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]+\]):(\d{1,5})$/.exec(text) ?? []
  return address !== undefined && Number(port) >= 1 && Number(port) <= 65_535
}

/** A name that every engine allows for a topic, a keyspace or a key prefix. */
export const name = (charsMax: number): Kind<string> => ({
  allowed: `1 to ${charsMax} small letters, digits or _, a letter first`,
  parse: (text) => (/^[a-z][a-z0-9_]*$/.test(text) && text.length <= charsMax ? text : undefined),
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
