/**
 * The operations of the API as types, by the names that they have in the OpenAPI document. A test checks them against
 * the routes.
 */

import type { Static, TSchema } from 'typebox'
import {
  BatchPostsBody,
  BatchPostsSchema,
  DeletedSchema,
  FeedPageSchema,
  FeedQuery as FeedQuerySchema,
  LikeSchema,
  ListQuery as ListQuerySchema,
  LookupBody,
  LookupSchema,
  NewPostBody,
  PostPageSchema,
  PostSchema,
  ReceiptSchema,
  RepliesQuery as RepliesQuerySchema,
  ThreadQuery as ThreadQuerySchema,
  ThreadSchema,
} from '../../feed/schemas.ts'
import {
  AccountListQuery,
  AccountPageSchema,
  AccountSchema,
  AuthorSchema,
  BatchAccountsBody,
  BatchAccountsSchema,
  BatchFollowsBody,
  BatchFollowsSchema,
  NewAccountBody,
  PolicyBody,
  PolicySchema,
  ProfileBody,
  ProfileChange,
  RelationshipSchema,
  TierBody,
  TierSchema,
  TokenBody,
  TokenSchema,
} from '../../graph/render.ts'

const relationship = { answer: RelationshipSchema }

export const OPERATIONS = {
  createAccount: { body: NewAccountBody, answer: AccountSchema },
  putAccount: { body: ProfileBody, answer: AccountSchema },
  getAccount: { answer: AccountSchema },
  getAccountByHandle: { answer: AccountSchema },
  getMe: { answer: AccountSchema },
  patchMe: { body: ProfileChange, answer: AccountSchema },
  getBlocks: { query: AccountListQuery, answer: AccountPageSchema },
  getMutes: { query: AccountListQuery, answer: AccountPageSchema },
  getAccountPosts: { query: ListQuerySchema, answer: PostPageSchema },
  getFollowers: { query: AccountListQuery, answer: AccountPageSchema },
  getFollowing: { query: AccountListQuery, answer: AccountPageSchema },
  createToken: { body: TokenBody, answer: TokenSchema },
  follow: relationship,
  unfollow: relationship,
  block: relationship,
  unblock: relationship,
  mute: relationship,
  unmute: relationship,
  createPost: { body: NewPostBody, answer: PostSchema },
  getPost: { answer: PostSchema },
  deletePost: { answer: DeletedSchema },
  lookupPosts: { body: LookupBody, answer: LookupSchema },
  getReceipt: { answer: ReceiptSchema },
  like: { answer: LikeSchema },
  unlike: { answer: LikeSchema },
  getLikes: { query: ListQuerySchema, answer: AccountPageSchema },
  getReposts: { query: ListQuerySchema, answer: PostPageSchema },
  getReplies: { query: RepliesQuerySchema, answer: PostPageSchema },
  getThread: { query: ThreadQuerySchema, answer: ThreadSchema },
  getFeed: { query: FeedQuerySchema, answer: FeedPageSchema },
  batchAccounts: { body: BatchAccountsBody, answer: BatchAccountsSchema },
  batchFollows: { body: BatchFollowsBody, answer: BatchFollowsSchema },
  batchPosts: { body: BatchPostsBody, answer: BatchPostsSchema },
  putTier: { body: TierBody, answer: TierSchema },
  getPolicy: { answer: PolicySchema },
  patchPolicy: { body: PolicyBody, answer: PolicySchema },
} as const satisfies Record<string, { readonly body?: TSchema; query?: TSchema; readonly answer: TSchema }>

type Operations = typeof OPERATIONS
export type OperationName = keyof Operations

type Part<N extends OperationName, P extends string> =
  Operations[N] extends Readonly<Record<P, infer S extends TSchema>> ? Static<S> : undefined
export type BodyOf<N extends OperationName> = Part<N, 'body'>
export type QueryOf<N extends OperationName> = Part<N, 'query'>
export type AnswerOf<N extends OperationName> = Part<N, 'answer'>

export type NewAccount = BodyOf<'createAccount'>
export type Profile = BodyOf<'putAccount'>
export type Account = AnswerOf<'getAccount'>
export type Author = Static<typeof AuthorSchema>
export type AccountPage = AnswerOf<'getFollowers'>
export type ListQuery = QueryOf<'getFollowers'>
export type Token = AnswerOf<'createToken'>
export type Relationship = AnswerOf<'follow'>
export type NewPost = BodyOf<'createPost'>
export type Post = AnswerOf<'getPost'>
export type PostPage = AnswerOf<'getAccountPosts'>
export type DeletedPost = AnswerOf<'deletePost'>
export type Lookup = AnswerOf<'lookupPosts'>
export type Receipt = AnswerOf<'getReceipt'>
export type RepliesQuery = QueryOf<'getReplies'>
export type ThreadQuery = QueryOf<'getThread'>
export type Thread = AnswerOf<'getThread'>
export type Like = AnswerOf<'like'>
export type FeedQuery = Omit<QueryOf<'getFeed'>, 'fields'>
export type FeedPage = Omit<AnswerOf<'getFeed'>, 'posts'> & { posts: Post[] }
/** A page that was read with `fields: 'ids'`. */
export type FeedIds = Omit<AnswerOf<'getFeed'>, 'posts'> & { posts: { id: string }[] }
export type NewTier = BodyOf<'putTier'>
export type Tier = AnswerOf<'putTier'>
export type Policy = AnswerOf<'getPolicy'>
export type BatchAccounts = AnswerOf<'batchAccounts'>['results']
export type BatchFollows = AnswerOf<'batchFollows'>['results']
export type BatchPosts = AnswerOf<'batchPosts'>['results']
export type PolicyChange = BodyOf<'patchPolicy'>
