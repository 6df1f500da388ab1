/**
 * `rivulet doctor`: examines a data folder that no process uses. It replays the log, as every start does, and then only
 * reads: whether the rows agree with each other, and whether feeds are what the oracle makes of the rows.
 */

import { isRivuletError, RivuletError } from '../../core/errors.ts'
import { createRivulet } from '../rivulet.ts'
import { assertDataFolder } from '../ports/data-folder.ts'
import type { Progress } from '../import/progress.ts'
import { openPorts } from '../ports/open.ts'
import type { OpenPorts, OpenPortsOptions } from '../ports/parts.ts'
import type { Config } from '../config/settings.ts'
import { checkAccounts } from './check-accounts.ts'
import { checkFeeds } from './check-feeds.ts'
import { checkFollowers } from './check-followers.ts'
import { checkFollows } from './check-follows.ts'
import { checkLog, checkStore } from './check-log.ts'
import { checkPosts } from './check-posts.ts'
import type { Finding, Patient } from './check.ts'
import { createSilentStore } from './silent-store.ts'

export interface Examination extends OpenPortsOptions {
  /** How many readers' feeds are compared. */
  readonly readers: number
  readonly progress: Progress
  /** Called with each finding as it comes. */
  readonly onFinding: (finding: Finding) => void
}

const NO_SECRET = new Uint8Array(32)

/** @returns whether all is well */
export async function examine(examination: Examination): Promise<boolean> {
  const { onFinding, config } = examination
  assertFolder(config)
  let isWell = true
  const report = (finding: Finding) => {
    if (finding.wrong > 0) isWell = false
    onFinding(finding)
  }
  try {
    // Only the folder is examined: timelines are made in memory, even where Redis is configured.
    const ports = await openPorts({ ...examination, config: { ...config, redis: undefined } })
    report({ check: 'folder', seen: ports.place, examples: [], wrong: 0 })
    try {
      await examinePorts(ports, examination, report)
    } finally {
      await ports.close()
    }
  } catch (error) {
    if (!isRivuletError(error, 'data_corrupt') && !isRivuletError(error, 'disk_error')) throw error
    report({ check: 'folder', seen: config.data, examples: [error.message], wrong: 1 })
  }
  return isWell
}

function assertFolder({ data: folder, kafka, cassandra }: Config): void {
  if (kafka !== undefined || cassandra !== undefined) {
    const message = 'doctor examines data folders only; remove RIVULET_KAFKA and RIVULET_CASSANDRA'
    throw new RivuletError('config_invalid', message)
  }
  assertDataFolder(folder)
}

async function examinePorts(
  ports: OpenPorts,
  { readers, progress, onFatal }: Examination,
  report: (finding: Finding) => void,
): Promise<void> {
  const log = await checkLog(ports, progress)
  report(log)
  report(await checkStore(ports))
  if (log.wrong > 0) return
  const replay = createRivulet(ports, { secret: NO_SECRET, onFatal })
  await replay.start()
  await replay.settle()
  await replay.stop()
  const looking = { ...ports, store: createSilentStore(ports.store) }
  const rivulet = createRivulet(looking, { secret: NO_SECRET, onFatal })
  await rivulet.start()
  const patient: Patient = { ports, rivulet, progress }
  try {
    for (const check of [checkAccounts, checkFollowers, checkFollows, checkPosts])
      report(await check(patient))
    report(await checkFeeds(patient, readers))
  } finally {
    await rivulet.stop()
  }
}
