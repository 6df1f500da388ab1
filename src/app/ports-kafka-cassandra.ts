/** The log on Kafka and the rows in Cassandra: the same for all processes of a deployment. */

import type { Durable, OpenPortsOptions } from './ports.ts'

export async function openKafkaAndCassandra(
  _options: OpenPortsOptions,
  _engines: { readonly brokers: readonly string[]; readonly contactPoints: readonly string[] },
): Promise<Durable> {
  throw new Error('until the adapters are merged')
}
