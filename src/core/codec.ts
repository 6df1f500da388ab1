/**
 * A small binary codec for events and rows: fields in a fixed order, without their names. Where the bytes end early,
 * the remaining fields get their defaults; bytes after the last known field are ignored. So fields may be added at the
 * end, and old and new code read each other's bytes.
 */

import { RivuletError } from './errors.ts'

export interface Codec<T> {
  readonly fallback: T
  write(out: Writer, value: T): void
  read(input: Reader): T
}

const SCRATCH_BYTES = 1 << 16

export class Writer {
  private bytes = Buffer.allocUnsafeSlow(SCRATCH_BYTES)
  private view = new DataView(this.bytes.buffer)
  private end = 0

  /** Makes room for `size` bytes. @returns the offset at which they start */
  private take(size: number): number {
    if (this.end + size > this.bytes.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(this.bytes.length * 2, this.end + size))
      this.bytes.copy(grown, 0, 0, this.end)
      this.use(grown)
    }
    const at = this.end
    this.end += size
    return at
  }

  private use(bytes: Buffer<ArrayBuffer>): void {
    this.bytes = bytes
    this.view = new DataView(bytes.buffer)
  }

  u8(value: number): void {
    const at = this.take(1)
    this.bytes[at] = value
  }

  u32(value: number): void {
    const at = this.take(4)
    this.view.setUint32(at, value, true)
  }

  f64(value: number): void {
    const at = this.take(8)
    this.view.setFloat64(at, value, true)
  }

  text(value: string): void {
    const at = this.take(4 + value.length * 3)
    const size = this.bytes.write(value, at + 4)
    this.view.setUint32(at, size, true)
    this.end = at + 4 + size
  }

  raw(value: Uint8Array): void {
    const at = this.take(value.length)
    this.bytes.set(value, at)
  }

  /** Bytes written so far. */
  get size(): number {
    return this.end
  }

  clear(): void {
    this.end = 0
  }

  /** Returns a copy of what was written, and empties the writer. */
  finish(): Buffer {
    const copy = Buffer.allocUnsafe(this.end)
    this.bytes.copy(copy, 0, 0, this.end)
    this.end = 0
    if (this.bytes.length > SCRATCH_BYTES * 16) this.use(Buffer.allocUnsafeSlow(SCRATCH_BYTES))
    return copy
  }
}

const tooShort = () => new RivuletError('data_corrupt', 'a record ends before its last field')

export class Reader {
  private readonly bytes: Buffer
  private at = 0

  constructor(bytes: Uint8Array) {
    this.bytes = Buffer.isBuffer(bytes)
      ? bytes
      : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  get done(): boolean {
    return this.at >= this.bytes.length
  }

  get left(): number {
    return this.bytes.length - this.at
  }

  private take(size: number): number {
    const at = this.at
    if (at + size > this.bytes.length) throw tooShort()
    this.at += size
    return at
  }

  u8(): number {
    return this.bytes[this.take(1)]
  }

  u32(): number {
    return this.bytes.readUInt32LE(this.take(4))
  }

  f64(): number {
    return this.bytes.readDoubleLE(this.take(8))
  }

  text(): string {
    const size = this.u32()
    const at = this.take(size)
    return this.bytes.toString('utf8', at, at + size)
  }

  raw(size: number): Buffer {
    const at = this.take(size)
    return this.bytes.subarray(at, at + size)
  }
}

export const u8: Codec<number> = { fallback: 0, write: (o, v) => o.u8(v), read: (i) => i.u8() }
export const u32: Codec<number> = { fallback: 0, write: (o, v) => o.u32(v), read: (i) => i.u32() }
/** Ids, positions and times: any number up to 2^53. */
export const u53: Codec<number> = { fallback: 0, write: (o, v) => o.f64(v), read: (i) => i.f64() }
export const bool: Codec<boolean> = {
  fallback: false,
  write: (o, v) => o.u8(v ? 1 : 0),
  read: (i) => i.u8() === 1,
}
export const text: Codec<string> = { fallback: '', write: (o, v) => o.text(v), read: (i) => i.text() }

export const optional = <T>(of: Codec<T>): Codec<T | undefined> => ({
  fallback: undefined,
  write(out, value) {
    out.u8(value === undefined ? 0 : 1)
    if (value !== undefined) of.write(out, value)
  },
  read: (input) => (input.u8() === 1 ? of.read(input) : undefined),
})

export const list = <T>(of: Codec<T>): Codec<readonly T[]> => ({
  fallback: [],
  write(out, values) {
    out.u32(values.length)
    for (const value of values) of.write(out, value)
  },
  read(input) {
    const length = input.u32()
    // An element has at least one byte. The check keeps a damaged length from allocating without bound.
    if (length > input.left) throw tooShort()
    return Array.from({ length }, () => of.read(input))
  },
})

type Packed = Uint8Array<ArrayBuffer> | Uint32Array<ArrayBuffer> | Float64Array<ArrayBuffer>

/** Copies the numbers as they are in memory, little-endian. */
function packed<A extends Packed>(make: (length: number) => A): Codec<A> {
  const fallback = make(0)
  return {
    fallback,
    write(out, values) {
      out.u32(values.length)
      out.raw(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
    },
    read(input) {
      const length = input.u32()
      const bytes = input.raw(length * fallback.BYTES_PER_ELEMENT)
      const values = make(length)
      new Uint8Array(values.buffer).set(bytes)
      return values
    },
  }
}

export const bytes: Codec<Uint8Array> = packed((length) => new Uint8Array(length))
export const u32Array: Codec<Uint32Array> = packed((length) => new Uint32Array(length))
export const f64Array: Codec<Float64Array> = packed((length) => new Float64Array(length))

type Shape = Record<string, Codec<any>> // the value types are recovered by `Struct`
export type Struct<S extends Shape> = { -readonly [K in keyof S]: S[K] extends Codec<infer T> ? T : never }

/**
 * A codec of an object's fields, in the order of `shape`. Its two functions are generated as source text: a loop over
 * the names would be five times as slow, since the objects that it makes would have no fixed shape.
 */
export function struct<S extends Shape>(shape: S): Codec<Struct<S>> {
  const names = Object.keys(shape)
  const fallback = Object.fromEntries(names.map((name) => [name, shape[name].fallback])) as Struct<S>
  const field = (name: string, i: number) => ({ at: JSON.stringify(name), of: `field${i}` })
  const fields = names.map(field)
  const writes = fields.map(({ at, of }) => `${of}.write(out, value[${at}]);`)
  const reads = fields.map(({ at, of }) => `${at}: input.done ? fallback[${at}] : ${of}.read(input),`)
  const build = new Function(
    'fallback',
    ...fields.map(({ of }) => of),
    `return {
      fallback,
      write(out, value) { ${writes.join(' ')} },
      read(input) { return { ${reads.join(' ')} } },
    }`,
  ) as (fallback: Struct<S>, ...codecs: Codec<unknown>[]) => Codec<Struct<S>>
  return build(fallback, ...names.map((name) => shape[name]))
}

const scratch = new Writer()

export function encode<T>(codec: Codec<T>, value: T): Buffer {
  // A value whose writing threw may have left bytes behind.
  scratch.clear()
  codec.write(scratch, value)
  return scratch.finish()
}

export const decode = <T>(codec: Codec<T>, bytes: Uint8Array): T => codec.read(new Reader(bytes))
