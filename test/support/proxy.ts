/** A TCP proxy before a server. It can freeze, hold back answers or go down, without harm to the server. */

import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

export interface Proxy {
  readonly port: number
  /** Nothing passes, and connections stay open; bytes that are sent meanwhile pass later. */
  freeze(): void
  /** Requests pass, answers are held back. */
  holdAnswers(): void
  thaw(): void
  /** Connections are cut, and new ones refused until `rise`. */
  fall(): Promise<void>
  rise(): Promise<void>
  close(): Promise<void>
}

interface Pair {
  readonly client: Socket
  readonly server: Socket
}

export async function startProxy(target: { host: string; port: number }): Promise<Proxy> {
  const pairs = new Set<Pair>()
  const held = { requests: false, answers: false }
  const apply = ({ client, server }: Pair) => {
    if (held.requests) client.pause()
    else client.resume()
    if (held.answers) server.pause()
    else server.resume()
  }
  const hold = (requests: boolean, answers: boolean) => {
    Object.assign(held, { requests, answers })
    for (const pair of pairs) apply(pair)
  }
  const accept = (client: Socket) => {
    const server = connect(target)
    const pair = { client, server }
    pairs.add(pair)
    client.on('data', (data) => server.write(data))
    server.on('data', (data) => client.write(data))
    for (const [one, other] of [
      [client, server],
      [server, client],
    ]) {
      one.on('error', () => undefined)
      one.on('close', () => {
        other.destroy()
        pairs.delete(pair)
      })
    }
    apply(pair)
  }
  const listen = async (port: number): Promise<Server> => {
    const listener = createServer(accept).listen(port, '127.0.0.1')
    await once(listener, 'listening')
    return listener
  }
  let listener = await listen(0)
  const { port } = listener.address() as AddressInfo
  const fall = async () => {
    if (!listener.listening) return
    listener.close()
    for (const { client } of pairs) client.destroy()
    await once(listener, 'close')
  }
  return {
    port,
    freeze: () => hold(true, true),
    holdAnswers: () => hold(false, true),
    thaw: () => hold(false, false),
    fall,
    async rise() {
      listener = await listen(port)
    },
    close: fall,
  }
}
