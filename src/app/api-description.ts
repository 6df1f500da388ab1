/** The general part of the OpenAPI document: description, tags and shared schemas. */

import * as feedSchemas from '../feed/schemas.ts'
import * as graphSchemas from '../graph/render.ts'
import type { OpenApiOptions } from '../http/openapi.ts'
import { firstSteps } from './first-steps.ts'

/** The title of the page that shows the document. */
export const TITLE = 'Rivulet API'

const steps = firstSteps('$URL').map(
  ({ what, commands }, i) => `${i + 1}. ${what}:\n\n   \`\`\`sh\n   ${commands.join('\n   ')}\n   \`\`\``,
)

const DESCRIPTION = `A self-hosted fan-out engine: what an account posts reaches everybody who may see it.

**First steps**, in a shell. The server key creates accounts and tokens, and can act for any account. It is in the \
file that the server names when it starts (\`DATA/server.key\`), or in its setting \`RIVULET_SERVER_KEY\`.

\`\`\`sh
URL=http://127.0.0.1:8080
KEY=$(cat data/server.key)
\`\`\`

${steps.join('\n')}
4. Give each person a token of their own instead of the key:

   \`\`\`sh
   curl -s "$URL/api/v1/tokens" -H "Authorization: Bearer $KEY" -H 'Content-Type: application/json' -d '{"account_id":"ext:ada"}'
   \`\`\`

To try routes on this page, enter the key or a token under *Authorize*.

Ids are decimal strings, times ISO 8601 in UTC. Wherever an account id is expected, \`ext:\` with an external id works, \
too. Every write takes an \`Idempotency-Key\`. Errors are problem details (RFC 9457); decide by their \`code\`.`

export const describeRivulet = (version: string): OpenApiOptions => ({
  title: 'Rivulet',
  version,
  description: DESCRIPTION,
  tokens: 'A token from `POST /api/v1/tokens`.',
  tags: [
    { name: 'feed', description: 'The home feed of a reader.' },
    { name: 'posts', description: 'Create, read and delete posts.' },
    { name: 'accounts', description: 'Accounts and their tokens.' },
    { name: 'relationships', description: 'Follow, block and mute accounts.' },
    { name: 'batches', description: 'Many writes in one request, with the server key.' },
    {
      name: 'admin',
      description: 'Policy and tiers, with the server key; they change at run time, without a restart.',
    },
    { name: 'system', description: 'Health, metrics and documents, for operators.' },
  ],
  schemas: {
    Author: graphSchemas.AuthorSchema,
    Account: graphSchemas.AccountSchema,
    AccountPage: graphSchemas.AccountPageSchema,
    BatchAccounts: graphSchemas.BatchAccountsSchema,
    BatchFollows: graphSchemas.BatchFollowsSchema,
    BatchPosts: feedSchemas.BatchPostsSchema,
    Relationship: graphSchemas.RelationshipSchema,
    Token: graphSchemas.TokenSchema,
    Tier: graphSchemas.TierSchema,
    Policy: graphSchemas.PolicySchema,
    Post: feedSchemas.PostSchema,
    PostPage: feedSchemas.PostPageSchema,
    FeedPage: feedSchemas.FeedPageSchema,
    Lookup: feedSchemas.LookupSchema,
    Deleted: feedSchemas.DeletedSchema,
    Receipt: feedSchemas.ReceiptSchema,
    Thread: feedSchemas.ThreadSchema,
    Like: feedSchemas.LikeSchema,
  },
})
