/** Ports that a program brings itself, completed with ports in memory. */

import { createMemoryBus } from '../../ports/bus/memory.ts'
import type { Bus } from '../../ports/bus/bus.ts'
import type { Env } from '../../ports/env/env.ts'
import type { Ephemeral } from '../../ports/ephemeral/ephemeral.ts'
import { createMemoryEphemeral } from '../../ports/ephemeral/memory.ts'
import type { Log } from '../../ports/log/log.ts'
import type { Store } from '../../ports/store/store.ts'
import { createMemoryViews } from '../../ports/views/memory/memory.ts'
import type { Views } from '../../ports/views/views.ts'
import { otherSpecs } from '../ports/other-views.ts'
import { createStoreNotes } from '../ports/notes.ts'
import type { OpenPorts } from '../ports/parts.ts'
import { assertSamePast } from '../ports/same-past.ts'
import { MIB, type Config } from '../config/settings.ts'

/**
 * Log and store hold the data, and belong together; each of the others is in memory unless it is given. The ports must
 * serve this process alone. They are not closed with the Rivulet.
 */
export interface OwnPorts {
  readonly log: Log
  readonly store: Store
  /** Must have as many lanes as the log has partitions. */
  readonly views?: Views
  readonly ephemeral?: Ephemeral
  readonly bus?: Bus
  readonly env?: Env
}

const PLACE = 'the ports of this program'

export async function completed(own: OwnPorts, env: Env, { timelinesMib }: Config): Promise<OpenPorts> {
  const { log, store } = own
  await assertSamePast(PLACE, log, store)
  const notes = createStoreNotes(store, PLACE)
  const id = await notes.keep('deployment.id', () => Buffer.from(env.randomBytes(12)).toString('hex'))
  return {
    env,
    log,
    store,
    views: own.views ?? createMemoryViews({ bytesMax: timelinesMib * MIB, lanes: log.partitions }),
    otherViews: new Map(
      otherSpecs({}).map(({ name, capacity, keep }) => [
        name,
        createMemoryViews({ bytesMax: timelinesMib * MIB, lanes: log.partitions, capacity, keep }),
      ]),
    ),
    ephemeral: own.ephemeral ?? createMemoryEphemeral({ env }),
    bus: own.bus ?? createMemoryBus({ env }),
    notes,
    id: id.text,
    place: PLACE,
    figures: [],
    close: async () => undefined,
  }
}
