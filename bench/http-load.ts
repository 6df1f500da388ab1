/**
 * A load generator over raw keep-alive sockets. Requests are bytes that were made beforehand, and answers are only split
 * by their Content-Length. The loop is closed: each connection sends its next request after the answer to the last one.
 */

import { connect, type Socket } from 'node:net'

export interface LoadOptions {
  readonly port: number
  readonly connections: number
  readonly durationMs: number
  /** Returns the next request of a connection. */
  readonly request: (connection: number) => Buffer
}

export interface LoadResult {
  readonly perS: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly requests: number
}

export function requestBytes(
  method: string,
  path: string,
  headers: Record<string, string>,
  body?: string,
): Buffer {
  const lines = [
    `${method} ${path} HTTP/1.1`,
    'Host: 127.0.0.1',
    ...Object.entries(headers).map(([k, v]) => `${k}: ${v}`),
  ]
  if (body !== undefined)
    lines.push('Content-Type: application/json', `Content-Length: ${Buffer.byteLength(body)}`)
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n${body ?? ''}`)
}

export async function load(options: LoadOptions): Promise<LoadResult> {
  const latenciesMs: number[] = []
  const startMs = performance.now()
  const endMs = startMs + options.durationMs
  await Promise.all(
    Array.from({ length: options.connections }, (_, i) => runConnection(options, i, endMs, latenciesMs)),
  )
  const elapsedS = (performance.now() - startMs) / 1_000
  latenciesMs.sort((a, b) => a - b)
  const at = (share: number) => latenciesMs[Math.floor((latenciesMs.length - 1) * share)]
  return {
    perS: latenciesMs.length / elapsedS,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    requests: latenciesMs.length,
  }
}

function runConnection(
  options: LoadOptions,
  index: number,
  endMs: number,
  latenciesMs: number[],
): Promise<void> {
  const socket = connect(options.port, '127.0.0.1')
  socket.setNoDelay(true)
  return new Promise((resolve, reject) => {
    let sentMs = 0
    const send = () => {
      sentMs = performance.now()
      socket.write(options.request(index))
    }
    const answered = (status: number) => {
      if (status >= 300) return finish(new Error(`answered with ${status}`))
      latenciesMs.push(performance.now() - sentMs)
      if (performance.now() < endMs) send()
      else finish()
    }
    const finish = (error?: Error) => {
      socket.destroy()
      if (error === undefined) resolve()
      else reject(error)
    }
    socket.once('connect', send)
    socket.once('error', finish)
    readAnswers(socket, answered)
  })
}

/** Splits a stream into answers, and calls back once per answer with its status. */
function readAnswers(socket: Socket, answered: (status: number) => void): void {
  let head = ''
  let left = -1
  let status = 0
  socket.on('data', (chunk: Buffer) => {
    for (let at = 0; at < chunk.length;) {
      if (left < 0) {
        const end = chunk.indexOf('\r\n\r\n', at)
        head += chunk.toString('latin1', at, end < 0 ? chunk.length : end)
        if (end < 0) return
        at = end + 4
        status = Number(head.slice(9, 12))
        left = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0)
        head = ''
      }
      const taken = Math.min(left, chunk.length - at)
      left -= taken
      at += taken
      if (left > 0) return
      left = -1
      answered(status)
    }
  })
}
