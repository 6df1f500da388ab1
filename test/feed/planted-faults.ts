/** Faults planted on purpose, as changes of source text. Histories must catch each within `runsMax` runs from `seed`. */

import type { Change } from './variants.ts'

export interface PlantedFault {
  readonly name: string
  readonly changes: readonly Change[]
  readonly runsMax: number
  readonly seed: number
}

/** Many, because a change elsewhere may alter the history that a seed gives: the fault must still be caught. */
const RUNS_MAX = 300

const fault = (name: string, file: string, find: string, replace: string, seed: number): PlantedFault => ({
  name,
  changes: [{ file, find, replace }],
  runsMax: RUNS_MAX,
  seed,
})

export const PLANTED_FAULTS: readonly PlantedFault[] = [
  fault(
    'a chunk is dropped',
    'engine/fanout/serve-chunks.ts',
    'definition.serve([{ id: plan.id, ref: plan.key, kind: plan.kind, owners }])',
    'definition.serve([])',
    10,
  ),
  fault(
    'a post is skipped without its mark',
    'engine/fanout/raise-marks.ts',
    'share < SHARES ?',
    'share < 0 ?',
    10,
  ),
  fault(
    'a mark is raised after the skip',
    'engine/fanout/fanout.ts',
    'await raiseMarks?.(outgoing)',
    'void (async () => { for (let i = 0; i < 200; i++) await env.yield(); await raiseMarks?.(outgoing) })().catch(() => {})',
    4,
  ),
  fault(
    'a trim is off by one',
    'ports/views/memory/headers.ts',
    'Math.max(settledFloorOf(words, base), trimmedOf(words, base))',
    'Math.max(settledFloorOf(words, base), trimmedOf(words, base) > 0 ? trimmedOf(words, base) - 1 : 0)',
    1,
  ),
  fault(
    'a rebuild reads before its header stands',
    'feed/timelines/rebuild.ts',
    `    await context.caughtUp()
    const [epoch] = await views.open([owner])
    await context.caughtUp()
    const circle = await graph.circles.of(owner)
    const slice = await pullWhole(circle.following, views.capacity)`,
    `    const circle = await graph.circles.of(owner)
    const slice = await pullWhole(circle.following, views.capacity)
    for (let i = 0; i < 100; i++) await context.env.yield()
    const [epoch] = await views.open([owner])`,
    10,
  ),
  fault(
    'a block is not checked for what is reposted',
    'feed/home/rules.ts',
    'if (isBlocked(circle, original.author)) return POST.original_blocked',
    '',
    3,
  ),
  fault('a count moves twice', 'feed/project.ts', '    if (!moves) return\n', '', 1),
  {
    name: 'a like counts again when it is redelivered',
    changes: [
      {
        file: 'feed/likes/project.ts',
        find: '    if (before !== undefined && before.cause >= cause) return\n',
        replace: '',
      },
      { file: 'feed/likes/project.ts', find: '- Number(wasOn)', replace: '- Number(!on)' },
    ],
    runsMax: RUNS_MAX,
    seed: 1,
  },
  fault(
    'an unlike is forgotten',
    'feed/likes/project.ts',
    '?? false) === on) return',
    '?? false) || !on) return',
    1,
  ),
  fault(
    'an unlike does not reach what is known of the liker',
    'feed/index.ts',
    'likes.changed(event.body.by, event.body.post)',
    'void event',
    1,
  ),
  fault(
    'a cursor is not bound to its reader',
    'feed/home/cursors.ts',
    'if (cursor.list !== LISTS.home || cursor.reader !== reader) throw invalidCursor()',
    'if (cursor.list !== LISTS.home) throw invalidCursor()',
    1,
  ),
  fault(
    'a backfill is one short of raising the floor',
    'feed/timelines/backfill.ts',
    'views.capacity + 1',
    'views.capacity',
    3,
  ),
  fault(
    'a follow is taken as backfilled at once',
    'feed/timelines/backfill.ts',
    'if (page !== undefined) {',
    'if (page === null) {',
    1,
  ),
  fault('`after` forgets what was served', 'feed/home/seen.ts', 'served.has(id)', 'false', 8),
  fault(
    'the horizon passes a fan-out under way',
    'engine/horizon/alone.ts',
    'Math.min(finished(), oldestOpen - 1)',
    'finished()',
    14,
  ),
  fault(
    'an inactive reader is skipped and keeps a timeline',
    'engine/fanout/direct.ts',
    'await definition.skip?.(skipped.slice(at, at + MEMBERS_A_TURN))',
    'void 0',
    8,
  ),
  fault(
    'a start trusts the committed position',
    'engine/worker/partitions.ts',
    'const from = Math.max(ownership.startAt(partition, watermark[partition] ?? start), start)',
    'const from = start < 0 ? watermark.length : bounds[partition].end',
    1,
  ),
  fault(
    'reposts above a cursor are not looked at',
    'feed/home/reposts.ts',
    'newest === undefined ?',
    'newest !== null ?',
    3,
  ),
  fault(
    'lost entries pass for intact ones',
    'feed/home/sources.ts',
    'isBehind(page.header, query.published)',
    'isBehind(page.header, 0)',
    10,
  ),
  fault(
    'an edge beyond the share is neither pushed nor pulled',
    'engine/fanout/marks.ts',
    'share <= bucket',
    'share < bucket',
    15,
  ),
  fault(
    'an id comes twice after a crash',
    'engine/processes/alone.ts',
    'await loadHighestId(store, ids)',
    'await loadHighestId(store, { ...ids, observe: () => undefined })',
    1,
  ),
  fault(
    'a follow before a block counts again after it',
    'graph/project.ts',
    '    endFollow(rows, { follower: of, followee: by }, event.id, event.version)\n',
    '',
    1,
  ),
  fault(
    'a follow that met a block counts',
    'graph/project.ts',
    '  const [ownKey, barKey] = standingKeys(edge)\n',
    "  const [ownKey, barKey] = standingKeys(edge)\n  if (followId > 0) return 'counts'\n",
    2,
  ),
]

/** Faults in what only several processes must do. */
export const PLANTED_SHARED_FAULTS: readonly PlantedFault[] = [
  fault(
    'marks are not told to other processes',
    'engine/fanout/raise-marks.ts',
    'if (context.isShared) await tellOthers(raises)',
    '',
    2,
  ),
  fault(
    'the horizon forgets what others have stamped',
    'engine/processes/publishing.ts',
    'horizon.sampled({ low, ends })',
    'horizon.sampled({ low: low > 0 ? ids.fence() : 0, ends })',
    22,
  ),
  fault(
    'an owner begins at the end',
    'engine/worker/partitions.ts',
    'const from = Math.max(ownership.startAt(partition, watermark[partition] ?? start), start)',
    'const from = start < 0 ? watermark.length : bounds[partition].end',
    10,
  ),
  fault(
    'two processes give out numbers of one block',
    'graph/account-numbers.ts',
    'last !== undefined && !isShared',
    'last !== undefined',
    7,
  ),
]
