/** The domains of the product, each after those that it uses. */

import type { DomainSpec } from '../engine/domain.ts'
import { feedDomain } from '../feed/index.ts'
import { graphDomain } from '../graph/index.ts'

export const DOMAINS: readonly DomainSpec<any>[] = [graphDomain, feedDomain]
