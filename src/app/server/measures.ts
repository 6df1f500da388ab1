/** The metrics of the engine and its domains, under their Prometheus names. */

import { idTimeMs } from '../../core/ids.ts'
import type { Engine } from '../../engine/engine.ts'
import type { Metrics } from '../../http/metrics.ts'
import type { RateLimits } from '../../http/limits.ts'
import { homeView } from '../../feed/index.ts'
import type { Rivulet } from '../rivulet.ts'
import type { Views, ViewStats } from '../../ports/views/views.ts'

/** @param limits where accounts are rate-limited */
export function measureEngine(metrics: Metrics, rivulet: Rivulet, limits: RateLimits | undefined): void {
  const { engine } = rivulet
  measureBacklog(metrics, engine)
  measureLog(metrics, engine)
  measureReactors(metrics, engine)
  measureFanout(metrics, rivulet)
  measurePages(metrics, rivulet)
  measureTimelines(metrics, rivulet)
  measureViews(metrics, engine.view(homeView).entries)
  measureOutboxes(metrics, rivulet)
  if (limits !== undefined) measureLimits(metrics, limits)
}

/** A number that only rises. */
const total = (metrics: Metrics, name: string, help: string, read: () => number): void =>
  metrics.number(name, help, read, 'total')

function measureBacklog(metrics: Metrics, { env, view, lagEvents, worker }: Engine): void {
  const { horizon } = view(homeView)
  const lagSeconds = () => Math.max(0, env.wallMs() - idTimeMs(horizon.claimable())) / 1_000
  metrics.number(
    'rivulet_fanout_lag_events',
    'Events of the log that are not fanned out yet, those of large fan-outs apart.',
    lagEvents,
  )
  metrics.number(
    'rivulet_fanout_lag_seconds',
    'Age of the oldest post that has not reached all its readers.',
    lagSeconds,
  )
  metrics.number(
    'rivulet_worker_partitions',
    'Partitions of the log that this process projects and fans out.',
    () => worker.owned.size,
  )
}

function measureLog(metrics: Metrics, { appends, worker }: Engine): void {
  total(
    metrics,
    'rivulet_log_appended_records_total',
    'Events that this process has appended to the log.',
    () => appends.records,
  )
  total(
    metrics,
    'rivulet_log_appended_bytes_total',
    'Bytes of the events that this process has appended to the log.',
    () => appends.bytes,
  )
  metrics.histogram(
    'rivulet_log_append_seconds',
    'Time from an append to the log until it is durable.',
    () => [{ labels: {}, histogram: appends.latency }],
  )
  metrics.number(
    'rivulet_checkpoint_age_seconds',
    'Age of the oldest change that no checkpoint holds; 0 when there is none.',
    () => worker.unsavedMs() / 1_000,
  )
}

function measureReactors(metrics: Metrics, { worker, timers }: Engine): void {
  metrics.gauges(
    'rivulet_reactor_lag_events',
    'About how many events a reactor that does not hold up others is behind; the log is kept for it.',
    () => worker.reactors.lags().map(({ reactor, events }) => ({ labels: { reactor }, value: events })),
  )
  metrics.number(
    'rivulet_timers_waiting',
    'Timers in memory: those that are due next, or are being fired.',
    timers.waiting,
  )
  total(metrics, 'rivulet_timers_fired_total', 'Events that timers have appended.', () => timers.fired)
  metrics.histogram(
    'rivulet_timers_late_seconds',
    'Time from when a timer was due until its event was appended.',
    () => [{ labels: {}, histogram: timers.late }],
  )
}

function measureFanout(metrics: Metrics, { engine, feed: { fanout } }: Rivulet): void {
  const { runner, stats } = fanout
  metrics.number(
    'rivulet_fanout_open_plans',
    'Fan-outs to large audiences that are under way.',
    () => runner.openPlans,
  )
  total(
    metrics,
    'rivulet_dead_letters_total',
    'Records that could not be applied, and events that a reactor failed on: put aside as dead letters.',
    () => engine.deadLetters.stats.buried,
  )
  total(metrics, 'rivulet_fanout_posts_total', 'Posts fanned out.', () => stats.events)
  total(metrics, 'rivulet_fanout_inserts_total', 'Timeline entries written.', () => stats.served)
  total(
    metrics,
    'rivulet_fanout_chunks_total',
    'Chunks of audiences, of at most 1,000 followers each, that were fanned out.',
    () => stats.chunks,
  )
  total(metrics, 'rivulet_fanout_skipped_total', 'Followers skipped as inactive.', () => stats.skipped)
  metrics.histogram(
    'rivulet_visible_seconds',
    'Time from accepting a post until all its readers can see it.',
    () => [{ labels: {}, histogram: stats.visible }],
  )
}

function measurePages(metrics: Metrics, { feed: { sources, removed } }: Rivulet): void {
  metrics.histogram('rivulet_feed_source_seconds', 'Time to read one source of the home feed.', () =>
    sources.map(({ name, latency }) => ({ labels: { source: name }, histogram: latency })),
  )
  metrics.totals(
    'rivulet_feed_removed_total',
    'Candidates for home feeds that a rule removed, by the name of the rule.',
    () => removed.rules.map((rule, at) => ({ labels: { rule }, value: removed.counts[at] })),
  )
}

function measureTimelines(metrics: Metrics, { feed: { timelines, warmer, pulls, reads } }: Rivulet): void {
  const { stats } = timelines
  total(
    metrics,
    'rivulet_backfills_total',
    'Followees whose older posts were added to a timeline.',
    () => stats.backfills,
  )
  total(metrics, 'rivulet_rebuilds_total', 'Timelines rebuilt from the store.', () => stats.rebuilds)
  total(
    metrics,
    'rivulet_timeline_jobs_failed_total',
    'Backfills and rebuilds that failed and must be asked for again.',
    () => stats.failed,
  )
  metrics.number(
    'rivulet_timelines_to_warm',
    'Timelines of active readers that are still to be rebuilt after a start without timelines.',
    () => warmer.stats.left,
  )
  metrics.number(
    'rivulet_cold_reads_waiting',
    'Feed pages that wait for their turn to read outboxes from the store.',
    () => pulls.waiting,
  )
  total(
    metrics,
    'rivulet_feed_not_ready_total',
    'Feed pages refused with `not_ready` because they were not ready in time.',
    () => reads.stats.notReady,
  )
}

/** Timelines in this process's memory. Where an engine holds them, the engine has figures of its own. */
function measureViews(metrics: Metrics, views: Views): void {
  const number = (name: string, help: string, read: (stats: ViewStats) => number, kind?: 'total') =>
    metrics.number(name, help, () => read(views.stats() as ViewStats), kind)
  if (views.stats() === undefined) return
  number('rivulet_views_timelines', 'Timelines in memory.', ({ timelines }) => timelines)
  number('rivulet_views_entries', 'Timeline entries in memory.', ({ entries }) => entries)
  number('rivulet_views_bytes', 'Memory that timelines take.', ({ bytes }) => bytes)
  number('rivulet_views_bytes_max', 'Memory that timelines may take.', ({ bytesMax }) => bytesMax)
  number('rivulet_views_evicted_total', 'Timelines evicted.', ({ evictedTotal }) => evictedTotal, 'total')
}

function measureOutboxes(metrics: Metrics, { graph: { marks }, feed: { outboxes } }: Rivulet): void {
  const { stats } = outboxes
  total(
    metrics,
    'rivulet_outbox_cache_hits_total',
    'Outboxes that feed pages found in memory.',
    () => stats.hits,
  )
  total(
    metrics,
    'rivulet_outbox_loads_total',
    'Outboxes that feed pages read from the store.',
    () => stats.loads,
  )
  metrics.number(
    'rivulet_hot_authors',
    'Authors whose posts are pulled by their readers, not pushed.',
    () => marks.size,
  )
}

function measureLimits(metrics: Metrics, { stats }: RateLimits): void {
  total(metrics, 'rivulet_rate_limited_total', 'Requests refused by a rate limit.', () => stats.limited)
  total(
    metrics,
    'rivulet_rate_uncounted_total',
    'Requests let through because they could not be counted.',
    () => stats.uncounted,
  )
}
