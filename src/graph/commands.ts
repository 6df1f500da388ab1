/** What callers may do to the graph: validate, then produce. Every command answers with the state it made. */

import { afterAccepted, isRivuletError, RivuletError } from '../core/errors.ts'
import { LIMITS } from '../core/limits.ts'
import { isHandle } from '../core/names.ts'
import { checkText, invalid, isInvisible, textFault } from '../core/text.ts'
import type { EngineContext } from '../engine/engine.ts'
import type { EventType, Idempotency } from '../engine/events.ts'
import { claimName, type Accounts } from './accounts.ts'
import { followId, follows, isBlocked, type Circles } from './circle.ts'
import * as events from './events.ts'
import { includesSorted } from '../core/sorted.ts'
import { OVERRIDES, SHARES, type Policies, type Policy, type TierOverride } from './policy.ts'
import type { GraphReads } from './read.ts'
import { blockedByTable, blocksTable, externalIdsTable, handlesTable, type Account } from './tables.ts'

export interface Profile {
  readonly handle?: string | undefined
  readonly displayName?: string | undefined
  readonly bio?: string | undefined
}

/** How `viewer` stands to another account. Whether they are blocked by it is not told. */
export interface Relationship {
  readonly following: boolean
  readonly followedBy: boolean
  readonly blocking: boolean
  readonly muting: boolean
}

export interface GraphCommands {
  createAccount(profile: Profile & { externalId?: string | undefined }, once?: Idempotency): Promise<Account>
  /** Creates the account of an external id, or changes it. */
  putAccount(
    externalId: string,
    profile: Profile,
    once?: Idempotency,
  ): Promise<{ account: Account; created: boolean }>
  follow(follower: number, followee: number, once?: Idempotency): Promise<Relationship>
  unfollow(follower: number, followee: number, once?: Idempotency): Promise<Relationship>
  block(by: number, of: number, on: boolean, once?: Idempotency): Promise<Relationship>
  mute(by: number, of: number, on: boolean, once?: Idempotency): Promise<Relationship>
  relationship(viewer: number, other: number): Promise<Relationship>
  /** A token was given out for a request that may be repeated. @returns the id of that event */
  tokenMinted(number: number, once: Idempotency): Promise<number>
  setTier(number: number, tier: TierOverride, share?: number, once?: Idempotency): Promise<void>
  /** `check` sees the policy as it is going to be, and may refuse it. */
  setPolicy(change: Partial<Policy>, once?: Idempotency, check?: (policy: Policy) => void): Promise<Policy>
}

export function createGraphCommands(
  context: EngineContext,
  accounts: Accounts,
  circles: Circles,
  policies: Policies,
  reads: GraphReads,
): GraphCommands {
  const { store, ids, produce } = context
  let policyChanges: Promise<unknown> = Promise.resolve()

  async function relationship(viewer: number, other: number): Promise<Relationship> {
    const [mine, theirs] = await Promise.all([circles.of(viewer), circles.of(other)])
    return {
      following: follows(mine, other),
      followedBy: follows(theirs, viewer),
      blocking: includesSorted(mine.blocking, other),
      muting: includesSorted(mine.muted, other),
    }
  }

  async function createAccount(
    profile: Profile & { externalId?: string | undefined },
    once?: Idempotency,
  ): Promise<Account> {
    checkProfile(profile)
    const { handle, externalId, displayName, bio } = profile
    const isNamed = handle !== undefined || externalId !== undefined
    const claimed = isNamed ? await claimNames(ids.next(), handle, externalId) : undefined
    const number = await accounts.nextNumber()
    // Without a name, the event that made an account is all that a repeated request can find it by.
    const body = (event: number) => ({
      account: claimed ?? event,
      number,
      externalId,
      handle,
      displayName,
      bio,
    })
    const { id } = await produce(events.accountCreated, number, body, once)
    const created = await afterAccepted(accounts.byId(claimed ?? id))
    if (created?.createdBy !== id) throw externalId === undefined ? taken('handle') : taken('external_id')
    return created
  }

  /**
   * Names are claimed before the account exists. A claim whose account never came to be (its creator failed
   * half-way) is taken over together with its id: by whoever has the same external id, or, where there was
   * none, the same handle. If two do so at once, the log decides.
   */
  async function claimNames(wanted: number, handle: string | undefined, externalId: string | undefined) {
    const external = externalId !== undefined
    let account = wanted
    if (external) {
      account = (await claimName(store, externalIdsTable, externalId, { account, external })).account
      if (await isAccount(account)) throw taken('external_id')
    }
    if (handle === undefined) return account
    const holder = await claimName(store, handlesTable, handle, { account, external })
    if (holder.account === account) return account
    if (external || holder.external || (await isAccount(holder.account))) throw taken('handle')
    return holder.account
  }

  const isAccount = async (id: number) => (await accounts.byId(id)) !== undefined

  async function claimHandle(handle: string, account: number): Promise<void> {
    const holder = await claimName(store, handlesTable, handle, { account, external: false })
    if (holder.account !== account) throw taken('handle')
  }

  /** Creates it, unless somebody else did so at the same time: then it is there to be changed. */
  async function createOrMeet(externalId: string, profile: Profile, once: Idempotency | undefined) {
    try {
      return { account: await createAccount({ ...profile, externalId }, once), created: true }
    } catch (error) {
      const met = isRivuletError(error, 'external_id_taken')
        ? await reads.byExternalId(externalId)
        : undefined
      if (met === undefined) throw error
      return met
    }
  }

  async function putAccount(externalId: string, profile: Profile, once?: Idempotency) {
    checkExternalId(externalId)
    const known = (await reads.byExternalId(externalId)) ?? (await createOrMeet(externalId, profile, once))
    if ('created' in known) return known
    checkProfile(profile)
    const { handle, displayName, bio } = profile
    if (handle !== undefined && handle.toLowerCase() !== known.handle?.toLowerCase())
      await claimHandle(handle, known.id)
    await produce(
      events.accountChanged,
      known.number,
      { number: known.number, handle, displayName, bio },
      once,
    )
    return { account: (await afterAccepted(accounts.byId(known.id))) ?? known, created: false }
  }

  /**
   * A request that would change nothing appends nothing, unless it must be remembered for its key. Where others
   * write, too, what is known here may be a little old.
   */
  async function change<B>(
    needed: boolean,
    type: EventType<B>,
    key: number,
    body: B,
    once: Idempotency | undefined,
  ): Promise<void> {
    if (needed || once !== undefined || context.isShared) await produce(type, key, body, once)
  }

  /** Follows on their way into the log, by follower: the limit counts them. */
  const followsUnderWay = new Map<number, number>()

  /**
   * Of a block that another process has just taken back, this one may not have heard; but the follow counts only
   * with an id above it.
   */
  async function isBlockedNow(one: number, other: number): Promise<boolean> {
    const tables = [blocksTable, blockedByTable]
    const rows = await store.get(tables.map((table) => table.key(one, other)))
    const pairs = rows.flatMap((row, i) => (row === undefined ? [] : [tables[i].decode(row)]))
    for (const { id } of pairs) ids.observe(id)
    return pairs.some(({ on }) => on)
  }

  async function follow(follower: number, followee: number, once?: Idempotency) {
    if (follower === followee) throw new RivuletError('follow_self', 'an account cannot follow itself')
    const circle = await circles.of(follower)
    if (context.isShared ? await isBlockedNow(follower, followee) : isBlocked(circle, followee)) {
      throw followRefused()
    }
    const already = followId(circle, followee) !== undefined
    const underWay = followsUnderWay.get(follower) ?? 0
    if (!already && circle.following.length + underWay >= LIMITS.followingMax) {
      throw new RivuletError('follow_limit', `an account follows at most ${LIMITS.followingMax} others`)
    }
    followsUnderWay.set(follower, underWay + 1)
    try {
      await change(!already, events.followed, followee, { follower, followee }, once)
    } finally {
      const left = followsUnderWay.get(follower)! - 1
      if (left > 0) followsUnderWay.set(follower, left)
      else followsUnderWay.delete(follower)
    }
    const state = await afterAccepted(relationship(follower, followee))
    // A block that came at the same moment has ended the follow, or kept it from counting.
    if (!state.following && isBlocked(await circles.of(follower), followee)) throw followRefused()
    return state
  }

  async function unfollow(follower: number, followee: number, once?: Idempotency) {
    const circle = await circles.of(follower)
    const body = { follower, followee, before: undefined }
    await change(follows(circle, followee), events.unfollowed, followee, body, once)
    return afterAccepted(relationship(follower, followee))
  }

  async function block(by: number, of: number, on: boolean, once?: Idempotency) {
    if (by === of) throw new RivuletError('block_self', 'an account cannot block itself')
    const already = includesSorted((await circles.of(by)).blocking, of)
    await change(already !== on, on ? events.blocked : events.unblocked, by, { by, of }, once)
    // Until the other side has heard of it, its count of followers would be one too many. The block itself stands.
    await context.awaitProjected(of).catch(() => undefined)
    return afterAccepted(relationship(by, of))
  }

  async function mute(by: number, of: number, on: boolean, once?: Idempotency) {
    if (by === of) throw new RivuletError('mute_self', 'an account cannot mute itself')
    const already = includesSorted((await circles.of(by)).muted, of)
    await change(already !== on, on ? events.muted : events.unmuted, by, { by, of }, once)
    return afterAccepted(relationship(by, of))
  }

  return {
    createAccount,
    putAccount,
    follow,
    unfollow,
    block,
    mute,
    relationship,
    async tokenMinted(number, once) {
      return (await produce(events.tokenMinted, number, { number }, once)).id
    },
    async setTier(number, tier, share = SHARES, once) {
      await produce(events.tierSet, number, { number, override: OVERRIDES.indexOf(tier), share }, once)
    },
    setPolicy(changeOf, once, check) {
      const change = async () => {
        const policy = { ...policies.current, ...changeOf }
        check?.(policy)
        await produce(events.policyChanged, 0, { policy: JSON.stringify(changeOf) }, once)
        return policies.current
      }
      // One after the other: each is checked with what the one before left.
      const changed = policyChanges.then(change, change)
      policyChanges = changed
      return changed
    },
  }
}

const followRefused = () => new RivuletError('follow_refused', 'this account cannot be followed by you')

export const taken = (field: 'handle' | 'external_id') =>
  new RivuletError(`${field}_taken`, `this ${field} belongs to another account`, {
    errors: [{ path: `/${field}`, message: 'is taken' }],
  })

function checkProfile({
  handle,
  displayName,
  bio,
  externalId,
}: Profile & { externalId?: string | undefined }): void {
  if (handle !== undefined) checkHandle(handle)
  if (externalId !== undefined) checkExternalId(externalId)
  const fault = displayName === undefined ? undefined : displayNameFault(displayName)
  if (fault !== undefined) throw invalid('/display_name', fault)
  if (bio !== undefined) {
    const { bioGraphemesMax: graphemesMax, bioBytesMax: bytesMax } = LIMITS
    checkText(bio, { path: '/bio', graphemesMax, bytesMax })
  }
}

/** What is wrong with a display name. The empty one takes a name away; one of which nothing shows only looks so. */
export function displayNameFault(displayName: string): string | undefined {
  const { displayNameGraphemesMax: graphemesMax, displayNameBytesMax: bytesMax } = LIMITS
  const isHidden = displayName !== '' && isInvisible(displayName)
  if (isHidden) return 'must hold something that can be seen, or be empty'
  return textFault(displayName, { graphemesMax, bytesMax })
}

function checkHandle(handle: string): void {
  if (isHandle(handle)) return
  throw invalid(
    '/handle',
    `must be 1 to ${LIMITS.handleLengthMax} letters, digits, "_", "." or "-", and begin with none of the last two`,
  )
}

/** What is wrong with an external id: it is empty, too long, no text, or has control characters. */
export function externalIdFault(externalId: string): string | undefined {
  if (externalId === '') return 'must not be empty'
  const fault = textFault(externalId, { codePointsMax: LIMITS.externalIdCodePointsMax })
  return fault ?? (/\p{Cc}/u.test(externalId) ? 'must not contain control characters' : undefined)
}

export function checkExternalId(externalId: string, path = '/external_id'): void {
  const fault = externalIdFault(externalId)
  if (fault !== undefined) throw invalid(path, fault)
}
