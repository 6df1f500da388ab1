/** `rivulet migrate`: creates what the engines must have before a deployment is served from them. */

import { Command } from 'commander'
import { createRealEnv, migratePorts } from '../app/ports/open.ts'
import { DURABLE_SETTINGS, type SettingKey } from '../app/config/settings.ts'
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
Creates the topic of the log, the keyspace and its tables; whatever exists stays as it is. It may be run again, by
several processes at once, and while others serve: to upgrade, migrate first, then start the new version.

A new keyspace for a topic that holds events is refused, because another keyspace may be served from that topic.
--rebuild is for a keyspace that is lost while the topic still holds everything: at the next start, accounts, follows
and posts are made again from the log. What was imported or moved, and the secret of cursors and tokens, were in the
keyspace alone and are lost.`

interface Flags extends Partial<Record<SettingKey, string>> {
  readonly rebuild?: true
}

export const migrateCommand = (): Command =>
  addSettings(
    new Command('migrate')
      .description('prepare Kafka and Cassandra (a data folder needs no migration)')
      .option(
        '--rebuild',
        'create a new keyspace for a topic that holds events, in place of one that is lost',
      )
      .addHelpText('after', HELP),
    SETTINGS,
  ).action(migrate)

async function migrate(flags: Flags): Promise<void> {
  const env = createRealEnv()
  const { config } = configOf(flags, SETTINGS)
  const terminal = createTerminal(env)
  const startedAtMs = env.monotonicMs()
  const rebuild = flags.rebuild === true
  await migratePorts({ env, config, onNotice: terminal.note, rebuild })
  terminal.print(
    `topic ${config.kafkaTopic} and keyspace ${config.cassandraKeyspace} are ready (${seconds(env.monotonicMs() - startedAtMs)})`,
  )
}
