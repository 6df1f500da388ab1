/** The steps that a history is drawn from, with their weights. */

import fc from 'fast-check'

export const ACCOUNTS = 9
export const PAGE_SIZES = [1, 2, 3, 5, 20]
export const THRESHOLDS = [0, 1, 2, 4, 1_000_000]
export const TIERS = ['auto', 'push', 'pull'] as const

const who = fc.nat(ACCOUNTS - 1)
const which = fc.nat(30)

/** Commands of which two happen at the same moment, by two accounts about each other or twice by one. */
export const RACERS = ['follow', 'unfollow', 'block', 'unblock', 'mute', 'unmute'] as const
export type Racer = (typeof RACERS)[number]

/** Mostly writes, so that checks run while things change. */
export const stepArbitrary = fc.oneof(
  {
    weight: 14,
    arbitrary: fc.tuple(
      fc.constant('post' as const),
      who,
      fc.constantFrom('public', 'public', 'followers', 'self'),
    ),
  },
  { weight: 4, arbitrary: fc.tuple(fc.constant('reply' as const), who, which) },
  { weight: 5, arbitrary: fc.tuple(fc.constant('repost' as const), who, which) },
  { weight: 3, arbitrary: fc.tuple(fc.constant('delete' as const), who, which) },
  { weight: 6, arbitrary: fc.tuple(fc.constant('like' as const), who, which, fc.boolean()) },
  { weight: 12, arbitrary: fc.tuple(fc.constant('follow' as const), who, who) },
  { weight: 4, arbitrary: fc.tuple(fc.constant('unfollow' as const), who, who) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('block' as const), who, who) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('unblock' as const), who, who) },
  {
    weight: 6,
    arbitrary: fc.tuple(
      fc.constant('race' as const),
      who,
      who,
      fc.tuple(fc.constantFrom(...RACERS), fc.boolean()),
      fc.tuple(fc.constantFrom(...RACERS), fc.boolean()),
      fc.nat(20),
    ),
  },
  // A reply or repost at the moment at which its target is deleted, or its author is blocked or follows.
  {
    weight: 3,
    arbitrary: fc.tuple(
      fc.constant('raceAtPost' as const),
      who,
      which,
      fc.constantFrom('reply', 'repost'),
      fc.constantFrom('delete', 'block', 'follow'),
      fc.nat(20),
    ),
  },
  { weight: 1, arbitrary: fc.tuple(fc.constant('mute' as const), who, who) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('unmute' as const), who, who) },
  { weight: 3, arbitrary: fc.tuple(fc.constant('tier' as const), who, fc.tuple(fc.nat(2), fc.nat(8))) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('threshold' as const), fc.nat(THRESHOLDS.length - 1)) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('inactive' as const), fc.constantFrom(0, 1, 30)) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('evict' as const), who) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('loseNewest' as const), who) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('crash' as const), fc.boolean()) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('checkpoint' as const)) },
  {
    weight: 2,
    arbitrary: fc.tuple(
      fc.constant('pass' as const),
      fc.constantFrom(20, 60_000, 3_600_000 * 5, 86_400_000 * 2),
    ),
  },
  { weight: 4, arbitrary: fc.tuple(fc.constant('settle' as const)) },
  { weight: 8, arbitrary: fc.tuple(fc.constant('check' as const), who, fc.nat(PAGE_SIZES.length - 1)) },
  { weight: 5, arbitrary: fc.tuple(fc.constant('keep' as const), who, fc.nat(PAGE_SIZES.length - 1)) },
  { weight: 5, arbitrary: fc.tuple(fc.constant('after' as const), who) },
)

export type Step = typeof stepArbitrary extends fc.Arbitrary<infer T> ? T : never
