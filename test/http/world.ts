/** A listening server, in memory or on engines, with a few people in it, and a client for exact requests. */

import { connect } from 'node:net'
import { Writable } from 'node:stream'
import pino from 'pino'
import { createApi, type Api, type ApiOptions } from '../../src/app/server/api.ts'
import { createRivulet, type Rivulet } from '../../src/index.ts'
import type { WebDomain } from '../../src/http/domain.ts'
import { createRealEnv } from '../../src/ports/env/real.ts'
import { openTestPorts, type TestPorts } from '../support/ports.ts'
import { createContract, type Contract, type OpenApi } from './contract.ts'

export const SERVER_KEY = 'server-key-of-the-tests-0123456789'
export const TOKEN_SECRET = new Uint8Array(32).fill(9)

/** The bytes of a write that creates the account `ext:<name>`, or changes it. */
export function putOf(name: string, displayName: string): string {
  const body = JSON.stringify({ display_name: displayName })
  const head = [
    `PUT /api/v1/accounts/ext:${name} HTTP/1.1`,
    'host: x',
    `authorization: Bearer ${SERVER_KEY}`,
    'content-type: application/json',
    `content-length: ${body.length}`,
  ]
  return `${head.join('\r\n')}\r\n\r\n${body}`
}

export interface Person {
  readonly id: string
  readonly number: number
  readonly token: string
}

export interface Reply {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  // Tests look into answers of every shape.
  // oxlint-disable-next-line no-explicit-any
  readonly json: any
}

export interface Sending {
  readonly as?: string | undefined
  readonly body?: unknown
  readonly raw?: string | Uint8Array
  readonly headers?: Record<string, string>
}

export interface World {
  readonly url: string
  readonly api: Api
  readonly rivulet: Rivulet
  readonly logged: string[]
  readonly contract: Contract
  call(method: string, path: string, sending?: Sending): Promise<Reply>
  /** Sends text unchanged, one byte per character; returns the answer once it is enough or the server closes. */
  raw(text: string, isEnough?: (got: string) => boolean): Promise<string>
  person(name: string): Promise<Person>
  close(): Promise<void>
}

export interface WorldOptions extends Partial<ApiOptions> {
  readonly domains?: readonly WebDomain<any>[]
}

/** @param options of the API, and which domains there are */
export async function createWorld({ domains, ...options }: WorldOptions = {}): Promise<World> {
  const env = createRealEnv()
  const logged: string[] = []
  const output = new Writable({
    write(line: Buffer, _encoding, done) {
      logged.push(line.toString())
      done()
    },
  })
  const ports = await openTestPorts(env)
  const rivulet = options.rivulet ?? (await newRivulet(ports, domains))
  const api = await createApi({
    rivulet,
    env,
    ephemeral: ports.ephemeral,
    serverKey: SERVER_KEY,
    tokenSecret: TOKEN_SECRET,
    version: '0.0.0-test',
    rateLimit: 'off',
    logger: pino({ level: 'info' }, output),
    tokenTtlMs: 3_600_000,
    corsOrigins: [],
    notReady: () => undefined,
    ...options,
  })
  const url = await api.app.listen({ port: 0, host: '127.0.0.1' })
  const contract = createContract(api.app.swagger() as unknown as OpenApi)
  const call = caller(url, contract)
  return {
    contract,
    url,
    api,
    rivulet,
    logged,
    call,
    raw: (text, isEnough = () => false) => rawCall(Number(new URL(url).port), text, isEnough),
    async person(name) {
      const account = await call('POST', '/api/v1/accounts', {
        as: SERVER_KEY,
        body: { handle: name, external_id: name, display_name: `Name of ${name}` },
      })
      const token = await call('POST', '/api/v1/tokens', {
        as: SERVER_KEY,
        body: { account_id: account.json.id },
      })
      const number = (await rivulet.graph.accounts.byId(Number(account.json.id)))?.number ?? 0
      return { id: account.json.id, number, token: token.json.token }
    },
    async close() {
      await api.app.close()
      await rivulet.stop()
      await ports.close()
    },
  }
}

const HORIZON_EVERY_MS = 50

/** One process in memory; on engines, one that answers and one that fans out. */
async function newRivulet(ports: TestPorts, domains: WorldOptions['domains']): Promise<Rivulet> {
  const onFatal = (error: unknown) => {
    throw error
  }
  const options = { secret: new Uint8Array(32).fill(3), onFatal, ...(domains && { domains }) }
  if (ports.another === undefined) return started(createRivulet(ports, options))
  const shared = { gate: async () => 0, horizonEveryMs: HORIZON_EVERY_MS }
  const others = createRivulet(await ports.another(), { ...options, shared: { ...shared, role: 'worker' } })
  const worker = await started(others)
  const api = await started(createRivulet(ports, { ...options, shared: { ...shared, role: 'api' } }))
  const stop = async () => {
    await api.stop()
    await worker.stop()
  }
  return { ...api, stop }
}

async function started(rivulet: Rivulet): Promise<Rivulet> {
  await rivulet.start()
  return rivulet
}

function caller(url: string, contract: Contract): World['call'] {
  return async (method, path, { as, body, raw, headers = {} } = {}) => {
    const hasJson = body !== undefined || raw !== undefined
    const response = await fetch(url + path, {
      method,
      headers: {
        ...(as === undefined ? {} : { authorization: `Bearer ${as}` }),
        ...(hasJson ? { 'content-type': 'application/json' } : {}),
        ...headers,
      },
      ...(hasJson ? { body: raw ?? JSON.stringify(body) } : {}),
    })
    const text = await response.text()
    const isJson = response.headers.get('content-type')?.includes('json') === true
    const json = isJson && text !== '' ? JSON.parse(text) : undefined
    const { status } = response
    const complaint = contract.complaint(method, path, status, response.headers.get('content-type'), json)
    if (complaint !== undefined) throw new Error(complaint)
    return { status, headers: response.headers, text, json }
  }
}

function rawCall(port: number, text: string, isEnough: (got: string) => boolean): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(text, 'latin1'))
    let got = ''
    socket.on('data', (bytes) => {
      got += bytes.toString()
      if (isEnough(got)) socket.destroy()
    })
    socket.on('close', () => resolve(got))
    socket.on('error', reject)
  })
}
