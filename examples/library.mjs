/** Rivulet inside a program: `node library.mjs [FOLDER]`. Creates the folder if it does not exist. */

import { openRivulet, RivuletError } from 'rivulet'

const rivulet = await openRivulet({ data: process.argv[2] ?? './data' })

// `ext:` names an account by the application's own id. A repeated call with the same idempotency key creates nothing.
await rivulet.accounts.put('ext:ada', { handle: 'ada', display_name: 'Ada' })
await rivulet.accounts.put('ext:bob', { handle: 'bob' })
const ada = rivulet.as('ext:ada')
const bob = rivulet.as('ext:bob')

await ada.follow('ext:bob')
const post = await bob.posts.create({ content: 'Hello, Ada' }, { idempotencyKey: 'bob-hello' })

const page = await ada.feed({ limit: 10 })
for (const { author, content } of page.posts) console.log(`${author.handle}: ${content}`)
console.log(`complete up to ${page.as_of}: ${page.complete}`)

// `after` gives the posts that came since that page.
await bob.posts.create({ reply_to: post.id, content: 'Nice to see you' })
const { posts } = await ada.feed({ after: page.after })
console.log(`${posts.length} new since then`)

try {
  await rivulet.accounts.get('ext:nobody')
} catch (error) {
  if (!(error instanceof RivuletError)) throw error
  console.log(`nobody: ${error.code}`)
}

// Serves the same data over HTTP until `close`.
const { url } = await rivulet.listen({ port: 0 })
const response = await fetch(`${url}/api/v1/posts/${post.id}`, {
  headers: { authorization: `Bearer ${rivulet.serverKey}` },
})
console.log(`over HTTP: ${(await response.json()).content}`)

await rivulet.close()
