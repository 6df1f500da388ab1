/** The start page of a server (`GET /`): its links, first steps to try, and the demo world's feed if that is shown. */

import type { Exposure } from '../http/exposure.ts'
import type { FrontIndex, FrontPage } from '../http/front.ts'
import { html, type Html } from '../http/html.ts'
import { LOGO_SVG } from '../http/logo.ts'
import type { DemoView, ShownPost } from './demo/view.ts'
import { GUEST, STAR } from './demo/people.ts'
import { demoSteps, firstSteps, type Step } from './first-steps.ts'

export interface FrontOptions {
  readonly version: string
  /** The role of this process: `all`, `api` or `worker`. */
  readonly role: string
  readonly docs: Exposure
  /** Who may read the metrics; `undefined` when they are on a port of their own. */
  readonly metrics: Exposure | undefined
  /** This process answers requests of the API. */
  readonly isApi: boolean
  /** Shows the demo world. Only where that was asked for: everybody who reaches the port sees it, and its token. */
  readonly demo?: () => Promise<DemoView | undefined>
}

interface Link {
  readonly name: string
  readonly path: string
  readonly what: string
}

function linksOf({ docs, metrics }: FrontOptions): readonly Link[] {
  const withKey = (exposure: Exposure | undefined) => (exposure === 'key' ? ', with the server key' : '')
  const ofDocs = [
    { name: 'docs', path: '/docs', what: `every route of the API, to read and to try${withKey(docs)}` },
    { name: 'openapi', path: '/openapi.json', what: `the API as an OpenAPI document${withKey(docs)}` },
  ]
  const ofMetrics = { name: 'metrics', path: '/metrics', what: `metrics for Prometheus${withKey(metrics)}` }
  return [
    ...(docs === 'off' ? [] : ofDocs),
    { name: 'health', path: '/healthz', what: 'whether the process answers' },
    { name: 'ready', path: '/readyz', what: 'whether it serves requests' },
    ...(metrics === undefined || metrics === 'off' ? [] : [ofMetrics]),
  ]
}

export function frontIndex(options: FrontOptions): FrontIndex {
  const links = linksOf(options).map(({ name, path }) => [name, path])
  const { version, role } = options
  return { name: 'Rivulet', version, role, links: Object.fromEntries(links) }
}

export function frontPage(options: FrontOptions): FrontPage {
  return {
    title: `Rivulet ${options.version}`,
    style: STYLE,
    async body(base) {
      const demo = await options.demo?.()
      return html`<header>
          ${LOGO}
          <h1>Rivulet</h1>
          <p>${options.version}, role ${options.role}: running</p>
        </header>
        <main>
          <p>
            A self-hosted fan-out engine. Accounts follow, post, reply and repost; a feed gives the newest
            posts that its reader may see.
          </p>
          <h2>Links</h2>
          <ul>
            ${linksOf(options).map(linkOf)}
          </ul>
          ${options.isApi ? stepsOf(base, demo) : html`<p>This process is a worker: it fans posts out. Send requests of the API to a process with the role api or all.</p>`}
          ${demo === undefined ? undefined : feedOf(demo)}
        </main>`
    },
  }
}

const LOGO: Html = { html: LOGO_SVG }

/** Links are relative, so that they are right behind a proxy that adds a prefix. */
const linkOf = ({ path, what }: Link): Html =>
  html`<li><a href="${path.slice(1)}">${path}</a> <span>${what}</span></li>`

function stepsOf(base: string, demo: DemoView | undefined): Html {
  if (demo !== undefined) {
    return html`<h2>Try it as @${GUEST.handle}</h2>
      <p>In a shell. The token belongs to the guest of the demo world:</p>
      <pre>export TOKEN=${demo.token}</pre>
      <ol>
        ${demoSteps(base, STAR.handle).map(stepOf)}
      </ol>`
  }
  return html`<h2>First steps</h2>
    <p>
      In a shell. The server key is in the file that the server names when it starts, or in
      <code>RIVULET_SERVER_KEY</code>:
    </p>
    <pre>export KEY=…</pre>
    <ol>
      ${firstSteps(base).map(stepOf)}
    </ol>`
}

const stepOf = ({ what, commands }: Step): Html =>
  html`<li>
    ${what}:
    <pre>${commands.join('\n')}</pre>
  </li>`

function feedOf({ posts }: DemoView): Html {
  return html`<h2>The feed of @${GUEST.handle}</h2>
    ${
      posts === undefined
        ? html`<p>It cannot be read just now; load this page again later.</p>`
        : posts.length === 0
          ? html`<p>It is empty.</p>`
          : posts.map(postOf)
    }`
}

/** A repost is shown as its original, at the time of the repost. */
function postOf(post: ShownPost): Html {
  const { original, created_at: at } = post
  if (original !== undefined) return articleOf(original, at, `reposted by ${nameOf(post)}`)
  return articleOf(post, at, post.reply_to === null ? undefined : 'a reply')
}

type Shown = Omit<ShownPost, 'original'>

const articleOf = (post: Shown, at: string, remark: string | undefined): Html =>
  html`<article>
    <p>
      <b>${nameOf(post)}</b>
      @${post.author.handle ?? post.author.id}${remark === undefined ? '' : ` · ${remark}`} ·
      <time datetime="${at}">${timeOf(at)}</time>
    </p>
    <p class="text">${post.content ?? '(no text)'}</p>
  </article>`

const nameOf = ({ author }: Shown): string => author.display_name ?? author.handle ?? author.id

/** 2026-01-01T12:00:00.000Z → 2026-01-01 12:00 UTC */
const timeOf = (iso: string): string => `${iso.slice(0, 10)} ${iso.slice(11, 16)} UTC`

const STYLE = `
:root { color-scheme: light dark; --ink: #16242b; --dim: #52636c; --paper: #fbfcfd; --line: #d6dfe4; --link: #0b6e8f; --code: #eef3f6 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4ecf0; --dim: #9db0ba; --paper: #10181d; --line: #2b3a43; --link: #6cc4e4; --code: #1a262d }
}
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 46rem; padding: 1.25rem; background: var(--paper); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere }
header { display: flex; flex-wrap: wrap; align-items: center; gap: .25rem .75rem }
header p { margin: 0; color: var(--dim) }
h1 { margin: 0; font-size: 1.6rem }
h2 { margin: 1.75rem 0 .5rem; font-size: 1.15rem }
a { color: var(--link) }
ul { list-style: none; padding: 0 }
ul span, article p:first-child { color: var(--dim) }
ol { padding-left: 1.25rem }
pre { margin: .4rem 0; padding: .6rem .75rem; background: var(--code); border-radius: .4rem; font: .85rem/1.45 ui-monospace, monospace; white-space: pre-wrap }
article { padding: .6rem 0; border-top: 1px solid var(--line) }
article p { margin: 0 }
.text { white-space: pre-line }
article b { color: var(--ink) }
`
