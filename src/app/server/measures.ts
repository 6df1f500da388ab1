/** What the engine counts, under the names that Prometheus knows it by. */

import { idTimeMs } from '../../core/ids.ts'
import type { Engine } from '../../engine/engine.ts'
import type { Metrics } from '../../http/metrics.ts'
import type { RateLimits } from '../../http/limits.ts'
import type { Rivulet } from '../rivulet.ts'
import type { Views, ViewStats } from '../../ports/views/views.ts'

export function measureEngine(
  metrics: Metrics,
  { engine, graph, feed }: Rivulet,
  limits: RateLimits | undefined,
): void {
  const { fanout, outboxes, timelines } = feed
  const total = (name: string, help: string, read: () => number) => metrics.number(name, help, read, 'total')

  const lagSeconds = () => Math.max(0, engine.env.wallMs() - idTimeMs(engine.horizon.claimable())) / 1_000

  metrics.number('rivulet_fanout_lag_events', 'Events whose effects on views are to come.', engine.lagEvents)
  metrics.number(
    'rivulet_fanout_lag_seconds',
    'Age of the oldest post that is not everywhere yet.',
    lagSeconds,
  )
  metrics.number(
    'rivulet_worker_partitions',
    'Partitions of the log that this process projects and fans out.',
    () => engine.worker.owned.size,
  )
  measureLog(metrics, engine)
  metrics.number('rivulet_fanout_open_plans', 'Large fan-outs under way.', () => fanout.runner.openPlans)
  total(
    'rivulet_dead_letters_total',
    'Records of the log that could not be taken in, and are kept aside.',
    () => engine.deadLetters.stats.buried,
  )
  total('rivulet_fanout_posts_total', 'Posts fanned out.', () => fanout.stats.posts)
  total('rivulet_fanout_inserts_total', 'Timeline entries written.', () => fanout.stats.inserts)
  total(
    'rivulet_fanout_chunks_total',
    'Pieces of audiences, of at most 1,000 followers each, that were served.',
    () => fanout.stats.chunks,
  )
  total('rivulet_fanout_skipped_total', 'Followers skipped as inactive.', () => fanout.stats.skippedInactive)
  metrics.histogram('rivulet_visible_seconds', 'From accepted to visible for all readers, by post.', () => [
    { labels: {}, histogram: fanout.stats.visible },
  ])
  metrics.histogram('rivulet_feed_source_seconds', 'Reads of the sources of the home feed.', () =>
    feed.sources.map(({ name, latency }) => ({ labels: { source: name }, histogram: latency })),
  )

  total('rivulet_backfills_total', 'Followees brought into timelines.', () => timelines.stats.backfills)
  total('rivulet_rebuilds_total', 'Timelines made anew.', () => timelines.stats.rebuilds)
  total(
    'rivulet_timeline_jobs_failed_total',
    'Backfills and rebuilds to be asked for again.',
    () => timelines.stats.failed,
  )
  metrics.number(
    'rivulet_timelines_to_warm',
    'Timelines of active readers that are still to be made after a start without them.',
    () => feed.warmer.stats.left,
  )
  metrics.number(
    'rivulet_cold_reads_waiting',
    'Pages that wait for their turn to read authors from the store.',
    () => feed.pulls.waiting,
  )
  total(
    'rivulet_feed_not_ready_total',
    'Feed pages that were put off because they could not be had in time.',
    () => feed.reads.stats.notReady,
  )
  measureViews(metrics, engine.views)

  total('rivulet_outbox_cache_hits_total', 'Outboxes that pages found in memory.', () => outboxes.stats.hits)
  total('rivulet_outbox_loads_total', 'Outboxes that were read from the store.', () => outboxes.stats.loads)
  metrics.number('rivulet_hot_authors', 'Authors with posts that are pulled.', () => graph.marks.size)

  if (limits === undefined) return
  total('rivulet_rate_limited_total', 'Requests refused by a rate limit.', () => limits.stats.limited)
  total('rivulet_rate_uncounted_total', 'Requests nobody could count.', () => limits.stats.uncounted)
}

function measureLog(metrics: Metrics, { appends, worker }: Engine): void {
  metrics.number(
    'rivulet_log_appended_records_total',
    'Events that this process has appended to the log.',
    () => appends.records,
    'total',
  )
  metrics.number('rivulet_log_appended_bytes_total', 'Bytes of these events.', () => appends.bytes, 'total')
  metrics.histogram('rivulet_log_append_seconds', 'From an append to the log until it is durable.', () => [
    { labels: {}, histogram: appends.latency },
  ])
  metrics.number(
    'rivulet_checkpoint_age_seconds',
    'For how long there has been something that no checkpoint holds; 0 when there is nothing.',
    () => worker.unsavedMs() / 1_000,
  )
}

/** What is known of timelines in this process's memory; an engine of their own has its own figures. */
function measureViews(metrics: Metrics, views: Views): void {
  const number = (name: string, help: string, read: (stats: ViewStats) => number, kind?: 'total') =>
    metrics.number(name, help, () => read(views.stats() as ViewStats), kind)
  if (views.stats() === undefined) return
  number('rivulet_views_timelines', 'Timelines in memory.', ({ timelines }) => timelines)
  number('rivulet_views_entries', 'Entries in memory.', ({ entries }) => entries)
  number('rivulet_views_bytes', 'Memory of the timelines.', ({ bytes }) => bytes)
  number('rivulet_views_bytes_max', 'Their budget.', ({ bytesMax }) => bytesMax)
  number('rivulet_views_evicted_total', 'Timelines evicted.', ({ evictedTotal }) => evictedTotal, 'total')
}
