/** What the OpenAPI document says of the whole API, before its routes. */

import * as feedSchemas from '../feed/schemas.ts'
import * as graphSchemas from '../graph/render.ts'
import type { OpenApiOptions } from '../http/openapi.ts'
import { firstSteps } from './first-steps.ts'

/** Of the page that shows the document. */
export const TITLE = 'Rivulet API'

const steps = firstSteps('$URL').map(
  ({ what, commands }, i) => `${i + 1}. ${what}:\n\n   \`\`\`sh\n   ${commands.join('\n   ')}\n   \`\`\``,
)

const DESCRIPTION = `A self-hosted fan-out engine: what one account does reaches everybody who should see it.

**First steps**, in a shell. The server key makes accounts and tokens, and acts for anybody: it is in the file that \
the server names when it starts (\`DATA/server.key\`), or in its setting \`RIVULET_SERVER_KEY\`.

\`\`\`sh
URL=http://127.0.0.1:8080
KEY=$(cat data/server.key)
\`\`\`

${steps.join('\n')}
4. Give a person a token, which is theirs alone, instead of the key:

   \`\`\`sh
   curl -s "$URL/api/v1/tokens" -H "Authorization: Bearer $KEY" -H 'Content-Type: application/json' -d '{"account_id":"ext:ada"}'
   \`\`\`

To try routes on this page, give the key or a token to *Authorize*.

Ids are decimal strings, times ISO 8601 in UTC. Wherever an account id stands, \`ext:\` and an external id does too. \
Every write takes an \`Idempotency-Key\`. Errors are problem details (RFC 9457); decide by \`code\`.`

export const describeRivulet = (version: string): OpenApiOptions => ({
  title: 'Rivulet',
  version,
  description: DESCRIPTION,
  tags: [
    { name: 'feed', description: 'What readers see.' },
    { name: 'posts', description: 'Post, read, delete.' },
    { name: 'accounts', description: 'Who exists, and their tokens.' },
    { name: 'relationships', description: 'Follow, block, mute.' },
    { name: 'admin', description: 'For the server key: changed at run time, no restart.' },
    { name: 'system', description: 'For operators.' },
  ],
  schemas: {
    Author: graphSchemas.AuthorSchema,
    Account: graphSchemas.AccountSchema,
    AccountPage: graphSchemas.AccountPageSchema,
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
  },
})
