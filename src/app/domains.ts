/** The domains of the product, each after those that it uses. A new one is a folder, and a line here. */

import { feedDomain } from '../feed/index.ts'
import { feedRoutes } from '../feed/routes.ts'
import { createAccountRefs, graphDomain, type Graph } from '../graph/index.ts'
import { graphRoutes } from '../graph/routes.ts'
import { adminRoutes } from '../graph/routes-admin.ts'
import type { RouteHost, WebDomain } from '../http/domain.ts'

export const DOMAINS: readonly WebDomain<any>[] = [
  { ...graphDomain, routes: routesOfGraph },
  { ...feedDomain, routes: routesOfFeed },
]

function routesOfGraph(graph: Graph, host: RouteHost): void {
  const refs = createAccountRefs(graph)
  // A profile shows how many posts stand, which only the feed knows.
  const { postsCount } = host.use(feedDomain).reads
  graphRoutes({ ...host, graph, refs, postsCount })
  adminRoutes({ ...host, graph, refs })
}

function routesOfFeed(feed: Parameters<typeof feedRoutes>[0]['feed'], host: RouteHost): void {
  const graph = host.use(graphDomain)
  feedRoutes({ ...host, graph, feed, refs: createAccountRefs(graph) })
}
