/**
 * Recognises environment variables that begin with RIVULET_ but were set by the platform: Kubernetes sets them in every
 * pod beside a Service named `rivulet` or `rivulet-…`, Docker for a link of such a name. They give the address of a
 * service, and are not settings of this process.
 */

const BY_NAME: readonly RegExp[] = [
  /^RIVULET_(\w+_)?SERVICE_(HOST|PORT(_\w+)?)$/,
  /^RIVULET_(\w+_)?PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$/,
  /^RIVULET_(\w+_)?ENV_\w+$/,
]

/** By their names these could be settings; their values show that they are not. */
const BY_VALUE: readonly (readonly [name: RegExp, value: RegExp])[] = [
  [/^RIVULET_(\w+_)?PORT$/, /^(tcp|udp|sctp):\/\//],
  [/^RIVULET_(\w+_)?NAME$/, /^\/[^/]+\/[^/]+$/],
]

export const isOfPlatform = (name: string, value: string): boolean =>
  BY_NAME.some((form) => form.test(name)) ||
  BY_VALUE.some(([form, content]) => form.test(name) && content.test(value))
