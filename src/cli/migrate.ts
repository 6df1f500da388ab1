/** `rivulet migrate`: makes what the engines must have before anything is served from them. */

import { Command } from 'commander'
import { createRealEnv, migratePorts } from '../app/ports.ts'
import { DURABLE_SETTINGS, type SettingKey } from '../app/settings.ts'
import { addSettings, configOf } from './setting-flags.ts'
import { createTerminal, seconds } from './terminal.ts'

const SETTINGS: readonly SettingKey[] = [
  ...DURABLE_SETTINGS.filter((key) => key !== 'data'),
  'kafkaPartitions',
  'kafkaReplication',
  'logRetentionHours',
  'cassandraReplication',
  'config',
]

const HELP = `
Makes the topic of the log, the keyspace and its tables; what is there already stays as it is. It may be run
again, by several at once, and beside processes that serve: a newer version migrates first, then starts.`

export const migrateCommand = (): Command =>
  addSettings(
    new Command('migrate')
      .description('prepare Kafka and Cassandra (a data folder needs no migration)')
      .addHelpText('after', HELP),
    SETTINGS,
  ).action(migrate)

async function migrate(flags: Partial<Record<SettingKey, string>>): Promise<void> {
  const env = createRealEnv()
  const { config } = configOf(flags, SETTINGS)
  const terminal = createTerminal(env)
  const startedAtMs = env.monotonicMs()
  await migratePorts({ env, config, onNotice: terminal.note })
  terminal.print(
    `topic ${config.kafkaTopic} and keyspace ${config.cassandraKeyspace} are ready (${seconds(env.monotonicMs() - startedAtMs)})`,
  )
}
