/** The library: `openRivulet` for applications; `createRivulet`, over ports of one's own, for work on the engine. */

export { RivuletError, isRivuletError, type ErrorCode, type FieldError } from './core/errors.ts'
export { createRivulet, type Rivulet, type RivuletOptions, type RivuletPorts } from './app/rivulet.ts'
export { allTables } from './app/ports/tables.ts'
export { openRivulet, type OpenOptions, type OpenRivulet } from './app/library/open.ts'
export type {
  AccountCalls,
  AccountReads,
  ApplicationCalls,
  PostReads,
  WriteOptions,
} from './app/library/calls.ts'
export type { Listening } from './app/server/compose.ts'
export type { OwnPorts } from './app/library/own-ports.ts'
export type {
  Account,
  AccountPage,
  Author,
  BatchAccounts,
  BatchFollows,
  BatchPosts,
  DeletedPost,
  FeedIds,
  FeedPage,
  FeedQuery,
  ListQuery,
  Lookup,
  NewAccount,
  NewPost,
  NewTier,
  Policy,
  PolicyChange,
  Post,
  PostPage,
  Profile,
  Like,
  Receipt,
  RepliesQuery,
  Thread,
  ThreadQuery,
  Relationship,
  Tier,
  Token,
} from './app/library/operations.ts'
