/**
 * The operations of the API as methods. Arguments and results are the JSON of the HTTP API: ids are decimal strings,
 * times ISO 8601 in UTC, and an account is named by its id or by `ext:` and its external id. Every method rejects with
 * a `RivuletError`; decide by its `code`. docs/api.md describes each operation.
 */

import type {
  Account,
  AccountPage,
  AnswerOf,
  BatchAccounts,
  BatchFollows,
  BatchPosts,
  BodyOf,
  DeletedPost,
  FeedIds,
  FeedPage,
  FeedQuery,
  Like,
  ListQuery,
  Lookup,
  NewAccount,
  NewPost,
  NewTier,
  OperationName,
  Policy,
  PolicyChange,
  Post,
  PostPage,
  Profile,
  QueryOf,
  Receipt,
  Relationship,
  RepliesQuery,
  Thread,
  ThreadQuery,
  Tier,
  Token,
} from './operations.ts'

/** Options of every write. */
export interface WriteOptions {
  /**
   * 1 to 255 visible ASCII characters. For 24 hours, the same call with the same key changes nothing and gives the
   * result of the first one, even if one of them came over HTTP. A different call with this key rejects with
   * `idempotency_key_reused`.
   */
  readonly idempotencyKey?: string
}

/** Reads of accounts. An account sees what it is entitled to see, the application sees everything. */
export interface AccountReads {
  /** For an account as the caller, `viewer` is its relationship to this one. Rejects with `not_found`, `invalid_id`. */
  get(account: string): Promise<Account>
  /** Regardless of case. Rejects with `not_found` if nobody has the handle now. */
  byHandle(handle: string): Promise<Account>
  /** Its posts, latest first, 20 unless `limit` (1 to 100) says otherwise. */
  posts(account: string, query?: ListQuery): Promise<PostPage>
  followers(account: string, query?: ListQuery): Promise<AccountPage>
  following(account: string, query?: ListQuery): Promise<AccountPage>
}
/** Reads of posts. An account sees what it is entitled to see, the application sees everything. */
export interface PostReads {
  /** Rejects with `not_found` also for a post that the caller must not see. */
  get(post: string): Promise<Post>
  /** Up to 100 posts, in the order of the ids; `missing` has the ids of those that cannot be seen. */
  lookup(posts: readonly string[]): Promise<Lookup>
  /** How far the fan-out of a post has come; only for its author and the application. */
  receipt(post: string): Promise<Receipt>
  /** Who likes a post, the latest like first. */
  likes(post: string, query?: ListQuery): Promise<AccountPage>
  /** The public reposts of a post, the latest first. */
  reposts(post: string, query?: ListQuery): Promise<PostPage>
  /** The replies to a post, the latest first unless `order` is `oldest`. */
  replies(post: string, query?: RepliesQuery): Promise<PostPage>
  /** A post with what it replies to and the first page of replies; `next_cursor` goes on in `replies`. */
  thread(post: string, query?: ThreadQuery): Promise<Thread>
}

/** Calls that the application makes in its own name. */
export interface ApplicationCalls {
  readonly accounts: AccountReads & {
    /** Rejects with `handle_taken`, `external_id_taken`. */
    create(account: NewAccount, options?: WriteOptions): Promise<Account>
    /** Creates the account of `ext:<external id>`, or changes it: fields left out stay as they are. */
    put(account: `ext:${string}`, profile: Profile, options?: WriteOptions): Promise<Account>
  }
  readonly posts: PostReads
  readonly tokens: {
    /** A bearer token for the HTTP API. */
    create(account: string, options?: WriteOptions): Promise<Token>
  }
  readonly tiers: {
    /** Sets whether the posts of one account are pushed or pulled, whatever the policy says. */
    put(account: string, tier: NewTier, options?: WriteOptions): Promise<Tier>
  }
  /**
   * Up to 1,000 writes at once. Each item may have an `idempotency_key`, and has a result of its own, in the order of
   * the items: `status` with the answer of the single call, or with `problem`. Items that fail reject nothing.
   */
  readonly batch: {
    /** An item with `external_id` creates that account or changes it; any other creates one. */
    accounts(items: BodyOf<'batchAccounts'>['items']): Promise<BatchAccounts>
    /** Follows `{ follower, followee }`. */
    follows(items: BodyOf<'batchFollows'>['items']): Promise<BatchFollows>
    /** Posts of `author`. */
    posts(items: BodyOf<'batchPosts'>['items']): Promise<BatchPosts>
  }
  /** When posts are pushed and when they are pulled. */
  readonly policy: {
    get(): Promise<Policy>
    patch(change: PolicyChange, options?: WriteOptions): Promise<Policy>
  }
}

/** Calls that the application makes for an account, with the rights of that account. */
export interface AccountCalls {
  /** The account itself, with its counts. */
  me(): Promise<Account>
  /** Changes the account itself; fields left out stay as they are. Rejects with `handle_taken`. */
  patch(profile: Profile, options?: WriteOptions): Promise<Account>
  /** Whom the account blocks, and whom it mutes; 20 unless `limit` (1 to 100) says otherwise. */
  blocks(query?: ListQuery): Promise<AccountPage>
  mutes(query?: ListQuery): Promise<AccountPage>
  readonly accounts: AccountReads
  readonly posts: PostReads & {
    /** Posts, replies or reposts. Resolves once the post is durable and its author can read it. */
    create(post: NewPost, options?: WriteOptions): Promise<Post>
    /** Deletes a post of one's own, at once and for good; deleting it again gives the same answer. */
    delete(post: string, options?: WriteOptions): Promise<DeletedPost>
    /** Liking a post again changes nothing. A repost is liked as what it repeats. Rejects with `not_found`. */
    like(post: string, options?: WriteOptions): Promise<Like>
    unlike(post: string, options?: WriteOptions): Promise<Like>
  }
  /**
   * A page of the home feed, latest first: the newest one; with `cursor: next_cursor`, the next older one; with
   * `after: after`, what came since. 20 posts unless `limit` (1 to 100) says otherwise. Rejects with `invalid_cursor`.
   */
  feed(query?: FeedQuery): Promise<FeedPage>
  feed(query: FeedQuery & { fields: 'ids' }): Promise<FeedIds>
  /** The relationship to another account. */
  relationship(account: string): Promise<Relationship>
  /** Rejects with `follow_self`, `follow_refused` (a block), `follow_limit` (10,000). */
  follow(account: string, options?: WriteOptions): Promise<Relationship>
  unfollow(account: string, options?: WriteOptions): Promise<Relationship>
  /** Ends follows in both directions. */
  block(account: string, options?: WriteOptions): Promise<Relationship>
  unblock(account: string, options?: WriteOptions): Promise<Relationship>
  mute(account: string, options?: WriteOptions): Promise<Relationship>
  unmute(account: string, options?: WriteOptions): Promise<Relationship>
}

/** The input of one operation. */
export interface Ask<N extends OperationName> {
  readonly params?: Readonly<Record<string, string>> | undefined
  readonly query?: QueryOf<N> | undefined
  readonly body?: BodyOf<N>
}

/** Calls an operation for one caller. */
export type Call = <N extends OperationName>(
  name: N,
  ask: Ask<N>,
  options?: WriteOptions,
) => Promise<AnswerOf<N>>

const accountReads = (call: Call): AccountReads => ({
  get: (id) => call('getAccount', { params: { id } }),
  byHandle: (handle) => call('getAccountByHandle', { params: { handle } }),
  posts: (id, query) => call('getAccountPosts', { params: { id }, query }),
  followers: (id, query) => call('getFollowers', { params: { id }, query }),
  following: (id, query) => call('getFollowing', { params: { id }, query }),
})

const postReads = (call: Call): PostReads => ({
  get: (id) => call('getPost', { params: { id } }),
  lookup: (ids) => call('lookupPosts', { body: { ids: ids as string[] } }),
  receipt: (id) => call('getReceipt', { params: { id } }),
  likes: (id, query) => call('getLikes', { params: { id }, query }),
  reposts: (id, query) => call('getReposts', { params: { id }, query }),
  replies: (id, query) => call('getReplies', { params: { id }, query }),
  thread: (id, query) => call('getThread', { params: { id }, query }),
})

export const applicationCalls = (call: Call): ApplicationCalls => ({
  accounts: {
    ...accountReads(call),
    create: (body, options) => call('createAccount', { body }, options),
    put: (id, body, options) => call('putAccount', { params: { id }, body }, options),
  },
  posts: postReads(call),
  tokens: {
    create: (account, options) => call('createToken', { body: { account_id: account } }, options),
  },
  batch: {
    accounts: async (items) => (await call('batchAccounts', { body: { items } })).results,
    follows: async (items) => (await call('batchFollows', { body: { items } })).results,
    posts: async (items) => (await call('batchPosts', { body: { items } })).results,
  },
  tiers: {
    put: (account, body, options) => call('putTier', { params: { account_id: account }, body }, options),
  },
  policy: {
    get: () => call('getPolicy', {}),
    patch: (body, options) => call('patchPolicy', { body }, options),
  },
})

export function accountCalls(call: Call): AccountCalls {
  type Verb = 'follow' | 'unfollow' | 'block' | 'unblock' | 'mute' | 'unmute'
  const change = (verb: Verb) => (id: string, options?: WriteOptions) =>
    call(verb, { params: { id } }, options)
  return {
    me: () => call('getMe', {}),
    patch: (body, options) => call('patchMe', { body }, options),
    blocks: (query) => call('getBlocks', { query }),
    mutes: (query) => call('getMutes', { query }),
    accounts: accountReads(call),
    posts: {
      ...postReads(call),
      create: (body, options) => call('createPost', { body }, options),
      delete: (id, options) => call('deletePost', { params: { id } }, options),
      like: (id, options) => call('like', { params: { id } }, options),
      unlike: (id, options) => call('unlike', { params: { id } }, options),
    },
    // The type of its posts depends on `fields` alone.
    feed: (query?: QueryOf<'getFeed'>) => call('getFeed', { query }) as Promise<FeedPage & FeedIds>,
    async relationship(id) {
      const { viewer } = await call('getAccount', { params: { id } })
      // Only the application itself gets no `viewer`.
      return viewer as Relationship
    },
    follow: change('follow'),
    unfollow: change('unfollow'),
    block: change('block'),
    unblock: change('unblock'),
    mute: change('mute'),
    unmute: change('unmute'),
  }
}
