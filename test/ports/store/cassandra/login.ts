/** A server that imitates Cassandra just enough to refuse a password: the node for the tests asks for none. */

import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'

const OPERATIONS = { error: 0, startup: 1, authenticate: 3, options: 5, supported: 6, authResponse: 15 }
const HEADER_BYTES = 9
const BAD_CREDENTIALS = 0x0100

const text = (value: string): Buffer => {
  const length = Buffer.alloc(2)
  length.writeUInt16BE(value.length)
  return Buffer.concat([length, Buffer.from(value)])
}

const refusal = Buffer.alloc(4)
refusal.writeInt32BE(BAD_CREDENTIALS)

const ANSWERS: Readonly<Record<number, readonly [number, Buffer]>> = {
  [OPERATIONS.options]: [OPERATIONS.supported, Buffer.alloc(2)],
  [OPERATIONS.startup]: [OPERATIONS.authenticate, text('org.apache.cassandra.auth.PasswordAuthenticator')],
  [OPERATIONS.authResponse]: [
    OPERATIONS.error,
    Buffer.concat([refusal, text('Provided username and/or password are incorrect')]),
  ],
}

function answerFrames(socket: Socket): void {
  let received: Buffer = Buffer.alloc(0)
  socket.on('error', () => undefined)
  socket.on('data', (data) => {
    received = Buffer.concat([received, data])
    while (received.length >= HEADER_BYTES) {
      const frameBytes = HEADER_BYTES + received.readInt32BE(5)
      if (received.length < frameBytes) return
      const [operation, body] = ANSWERS[received[4]] ?? [OPERATIONS.error, refusal]
      const header = Buffer.from(received.subarray(0, HEADER_BYTES))
      header[0] |= 0x80
      header[4] = operation
      header.writeInt32BE(body.length, 5)
      socket.write(Buffer.concat([header, body]))
      received = received.subarray(frameBytes)
    }
  })
}

export async function startCassandraLogin() {
  const server = createServer(answerFrames).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.close()
      await once(server, 'close')
    },
  }
}
