/**
 * The network that a request without an account counts for in rate limits: the address of the socket, for IPv6 its
 * first 64 bits, because one client may use all addresses that share them. `X-Forwarded-For` is not read, since any
 * client can send it. So behind a proxy, such requests count together, for the proxy; let the proxy limit them, too.
 */

const V4_IN_V6 = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i
const GROUPS = 8
const NETWORK_GROUPS = 4

/** @param address the remote address of a socket; a socket that is closed already has none */
export function networkOf(address: string | undefined): string {
  if (address === undefined) return 'unknown'
  const v4 = V4_IN_V6.exec(address)?.[1]
  if (v4 !== undefined) return v4
  if (!address.includes(':')) return address
  // `::` stands for as many groups of zeros as are missing; `%` begins the name of an interface.
  const [left, right] = address
    .split('%')[0]
    .split('::')
    .map((half) => half.split(':').filter((group) => group !== ''))
  const zeros = right === undefined ? 0 : GROUPS - left.length - right.length
  const groups = [...left, ...Array.from({ length: zeros }, () => '0'), ...(right ?? [])]
  return `${groups.slice(0, NETWORK_GROUPS).join(':')}::/64`
}
