/** Routes for operators, who hold the server key: whose posts are pushed and whose are pulled. */

import { RivuletError } from '../core/errors.ts'
import { invalid } from '../core/text.ts'
import { SHARES } from '../engine/fanout/policy.ts'
import { ok, type Router } from '../http/route.ts'
import type { Graph } from './index.ts'
import type { AccountRefs } from './refs.ts'
import type { Policy } from './policy.ts'
import { PolicyBody, TierBody } from './render.ts'
import { AccountRef } from './schemas.ts'

export interface AdminRouteParts {
  readonly router: Router
  readonly graph: Graph
  readonly refs: AccountRefs
}

export function adminRoutes({ router, graph, refs }: AdminRouteParts): void {
  const { commands, policies } = graph

  router.write({
    method: 'PUT',
    path: '/admin/tiers/:account_id',
    name: 'putTier',
    summary: 'Push or pull the posts of one account regardless of the policy',
    tag: 'admin',
    access: 'server',
    params: { account_id: AccountRef('The author') },
    body: TierBody,
    answers: { 200: 'Tier' },
    problems: ['invalid_id', 'not_found'],
    async run({ params, body }, once) {
      const account = await refs.inPath(params.account_id, 'params.account_id')
      const { tier, push_share = SHARES } = body
      await commands.setTier(account.number, tier, push_share, once)
      return ok({ account_id: String(account.id), tier, push_share })
    },
    async replay({ params, body }) {
      const account = await refs.inPath(params.account_id, 'params.account_id')
      return ok({ account_id: String(account.id), tier: body.tier, push_share: body.push_share ?? SHARES })
    },
  })

  router.read({
    method: 'GET',
    path: '/admin/policy',
    name: 'getPolicy',
    summary: 'The policy that decides which posts are pushed and which are pulled',
    tag: 'admin',
    access: 'server',
    answers: { 200: 'Policy' },
    answer: () => ok(policies.current),
  })

  router.write({
    method: 'PATCH',
    path: '/admin/policy',
    name: 'patchPolicy',
    summary: 'Change the policy, from the next post on',
    tag: 'admin',
    access: 'server',
    body: PolicyBody,
    answers: { 200: 'Policy' },
    problems: ['conflict'],
    async run({ body }, once) {
      return ok(await commands.setPolicy(body, once, (policy) => checkPolicy(policy, body)))
    },
    replay: async () => ok(policies.current),
  })
}

/**
 * Throws `invalid_request` for a change that contradicts itself, and `conflict` for one that contradicts what the
 * current policy says besides.
 */
function checkPolicy({ active_hours, inactive_days }: Policy, change: Partial<Policy>): void {
  if (active_hours <= inactive_days * 24) return
  const path = change.active_hours === undefined ? '/inactive_days' : '/active_hours'
  const message =
    'must keep active_hours at most 24 times inactive_days: a reader cannot be active and inactive at once'
  const isWhole = change.active_hours !== undefined && change.inactive_days !== undefined
  if (isWhole) throw invalid(path, message)
  throw new RivuletError('conflict', `${path} ${message}`, { errors: [{ path, message }] })
}
