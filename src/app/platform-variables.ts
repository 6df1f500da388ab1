/**
 * Variables that a platform sets under our prefix, without anybody's having asked for it: Kubernetes in every pod
 * beside a Service named `rivulet` or `rivulet-…`, and Docker for a link of such a name. They say where a service is,
 * never how this process is to be.
 */

const BY_NAME: readonly RegExp[] = [
  /^RIVULET_(\w+_)?SERVICE_(HOST|PORT(_\w+)?)$/,
  /^RIVULET_(\w+_)?PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$/,
  /^RIVULET_(\w+_)?ENV_\w+$/,
]

/** These could be settings by their names: their values tell. */
const BY_VALUE: readonly (readonly [name: RegExp, value: RegExp])[] = [
  [/^RIVULET_(\w+_)?PORT$/, /^(tcp|udp|sctp):\/\//],
  [/^RIVULET_(\w+_)?NAME$/, /^\/[^/]+\/[^/]+$/],
]

export const isOfPlatform = (name: string, value: string): boolean =>
  BY_NAME.some((form) => form.test(name)) ||
  BY_VALUE.some(([form, content]) => form.test(name) && content.test(value))
