/**
 * Metrics for Prometheus. The hot path only increments plain numbers and histograms (core/histogram.ts); names, labels
 * and text are made at each scrape.
 */

import { collectDefaultMetrics, Registry, type Metric } from 'prom-client'
import { Histogram, LATENCY_BOUNDS_MS } from '../core/histogram.ts'

/** Latencies and statuses of the requests of one route. */
export interface RouteStats {
  readonly method: string
  readonly route: string
  readonly latency: Histogram
  /** Answers by HTTP status. */
  readonly byStatus: Map<number, number>
  /** Each request leaves a line in the access log. */
  readonly isLogged: boolean
}

/** The streams of one route. */
export interface StreamStats {
  readonly route: string
  open: number
  /** Events sent. */
  events: number
  /** How often streams ended, by the reason. */
  readonly ended: Map<string, number>
}

export interface Metrics {
  readonly registry: Registry
  /** Counters of a route; call once per route. */
  route(method: string, route: string, isLogged?: boolean): RouteStats
  /** Counters of the streams of a route; call once per route. */
  stream(route: string): StreamStats
  /** Registers a number that is read at each scrape; a `total` only rises. */
  number(name: string, help: string, read: () => number, kind?: 'gauge' | 'total'): void
  /** Registers totals that are told apart by labels. */
  totals(name: string, help: string, series: () => readonly LabelledTotal[]): void
  /** Registers a number that may fall, with a series for each set of labels. */
  gauges(name: string, help: string, series: () => readonly LabelledTotal[]): void
  /** Registers histograms that are kept in milliseconds and shown in seconds, Prometheus' unit. */
  histogram(name: string, help: string, series: () => readonly LabelledHistogram[]): void
  text(): Promise<string>
}

export interface LabelledHistogram {
  readonly labels: Readonly<Record<string, string>>
  readonly histogram: Histogram
}

/** A number that only rises. */
export interface LabelledTotal {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

interface Sample {
  readonly metricName?: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

type Register = (
  name: string,
  help: string,
  type: 'histogram' | 'counter' | 'gauge',
  samples: () => Sample[],
) => void

/** Default gauges with names of counters; other default metrics give the same numbers by type. */
const MISNAMED = [
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
  'nodejs_active_resources_total',
]

export function createMetrics(version: string): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  for (const name of MISNAMED) registry.removeSingleMetric(name)
  const routes: RouteStats[] = []
  const streams: StreamStats[] = []

  /** Registers a metric whose samples are made at each scrape: of a metric, the registry calls only `get`. */
  const register: Register = (name, help, type, samples) => {
    const metric = {
      name,
      help,
      type,
      aggregator: 'sum',
      get: () => ({ name, help, type, values: samples() }),
    }
    registry.registerMetric(metric as unknown as Metric)
  }

  const metrics: Metrics = {
    registry,
    route(method, route, isLogged = true) {
      const latency = new Histogram(LATENCY_BOUNDS_MS)
      const stats: RouteStats = { method, route, latency, byStatus: new Map(), isLogged }
      routes.push(stats)
      return stats
    },
    stream(route) {
      if (streams.length === 0) measureStreams(register, streams)
      const stats: StreamStats = { route, open: 0, events: 0, ended: new Map() }
      streams.push(stats)
      return stats
    },
    number(name, help, read, kind = 'gauge') {
      const type = kind === 'total' ? 'counter' : 'gauge'
      register(name, help, type, () => [{ labels: {}, value: read() }])
    },
    totals(name, help, series) {
      register(name, help, 'counter', () => [...series()])
    },
    gauges(name, help, series) {
      register(name, help, 'gauge', () => [...series()])
    },
    histogram(name, help, series) {
      register(name, help, 'histogram', () => series().flatMap((one) => samplesOf(name, one)))
    },
    text: () => registry.metrics(),
  }
  metrics.histogram('rivulet_http_request_duration_seconds', 'Duration of requests by route.', () =>
    routes
      .filter(({ latency }) => latency.count > 0)
      .map(({ method, route, latency }) => ({ labels: { method, route }, histogram: latency })),
  )
  register('rivulet_http_requests_total', 'Requests by route and status.', 'counter', () =>
    routes.flatMap(statusSamples),
  )
  register(
    'rivulet_build_info',
    'Always 1; the labels are the versions of Rivulet and Node.js.',
    'gauge',
    () => [{ labels: { version, node: process.version }, value: 1 }],
  )
  return metrics
}

function measureStreams(register: Register, streams: readonly StreamStats[]): void {
  register('rivulet_http_open_streams', 'Event streams that are open, by route.', 'gauge', () =>
    streams.map(({ route, open }) => ({ labels: { route }, value: open })),
  )
  register('rivulet_http_stream_events_total', 'Events sent on streams, by route.', 'counter', () =>
    streams.map(({ route, events }) => ({ labels: { route }, value: events })),
  )
  register(
    'rivulet_http_streams_ended_total',
    'Event streams that ended, by route and reason.',
    'counter',
    () =>
      streams.flatMap(({ route, ended }) =>
        [...ended].map(([end, value]) => ({ labels: { route, end }, value })),
      ),
  )
}

const statusSamples = ({ method, route, byStatus }: RouteStats): Sample[] =>
  [...byStatus].map(([status, value]) => ({ labels: { method, route, status: String(status) }, value }))

function samplesOf(name: string, { labels, histogram }: LabelledHistogram): Sample[] {
  const { bounds, counts, sum } = histogram
  let count = 0
  const samples = bounds.map((bound, at): Sample => {
    count += counts[at]
    return { metricName: `${name}_bucket`, labels: { ...labels, le: String(bound / 1_000) }, value: count }
  })
  count += counts[bounds.length]
  return [
    ...samples,
    { metricName: `${name}_bucket`, labels: { ...labels, le: '+Inf' }, value: count },
    { metricName: `${name}_sum`, labels, value: sum / 1_000 },
    { metricName: `${name}_count`, labels, value: count },
  ]
}
