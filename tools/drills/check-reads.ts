/**
 * Checks every page that was read during a drill, also in the middle of the fault. A page may be incomplete and say so.
 * But a page that calls itself complete must hold every post that was acknowledged before the page was asked for, and no
 * page may ever show a post that was refused or deleted, that nobody wrote, or whose author the reader does not follow.
 *
 * A process must know at once what it has answered itself. What another process has answered it must know up to the
 * `as_of` of its page; that moment does not move on before.
 */

import {
  mustBeGone,
  mustBeThere,
  type History,
  type IsKnown,
  type Page,
  type PostOperation,
} from './history.ts'

type Report = (line: string) => void

export function checkReads(history: History, report: Report): void {
  for (const { pages } of history.reads) {
    for (const page of pages) {
      checkShown(history, page, report)
      if (page.isComplete) checkClaim(history, page, report)
    }
    const ids = pages.flatMap((page) => page.posts.map(({ id }) => id))
    if (new Set(ids).size < ids.length) report(`${nameOf(pages[0])} shows a post twice`)
  }
}

const nameOf = ({ reader, startMs }: Page): string => `a page of p${reader}, read at ${atSecond(startMs)},`
const atSecond = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`

const isKnownTo =
  (page: Page): IsKnown =>
  ({ via, endMs }) =>
    endMs <= page.startMs && (via === page.via || endMs <= page.knownMs)

function checkShown(history: History, page: Page, report: Report): void {
  let aboveId = page.belowId
  for (const { id, ref, author } of page.posts) {
    const post = history.byRef(ref)
    if (id >= aboveId) report(`${nameOf(page)} is out of order at post ${id}`)
    aboveId = id
    if (post === undefined || post.author !== author || (post.id !== undefined && post.id !== id)) {
      report(`${nameOf(page)} shows post ${id}, which nobody wrote in that form`)
    } else if (mustBeGone(post, isKnownTo(page))) {
      report(`${nameOf(page)} shows post ${id}, which was ${post.outcome === 'fail' ? 'refused' : 'deleted'}`)
    }
    if (history.edgeDuring(page.reader, author, isKnownTo(page), page.endMs) === 'off')
      report(`${nameOf(page)} shows post ${id} of p${author}, who is not followed`)
  }
}

/**
 * A complete page must hold every acknowledged post that was made at or before `as_of`, is not deleted before the page is
 * answered, lies in the page's range, and is by an author whom the reader follows throughout. The range goes from the id
 * that was asked for down to the page's last post, or down to the very first one if the page says that no more follow.
 */
function checkClaim(history: History, page: Page, report: Report): void {
  const shown = new Set(page.posts.map(({ id }) => id))
  const lowestId = page.hasMore ? (page.posts.at(-1)?.id ?? page.belowId) : 0
  const isDue = (post: PostOperation) =>
    post.id !== undefined &&
    post.createdAtMs !== undefined &&
    post.createdAtMs <= page.asOfMs &&
    post.id < page.belowId &&
    post.id >= lowestId &&
    mustBeThere(post, page.endMs)
  for (const author of history.authors) {
    if (history.edgeDuring(page.reader, author, isKnownTo(page), page.endMs) !== 'on') continue
    for (const post of history.postsOf(author)) {
      if (!isDue(post) || shown.has(post.id ?? 0)) continue
      report(
        `${nameOf(page)} claims to be complete up to ${new Date(page.asOfMs).toISOString()} without post ${post.id} ` +
          `of p${author}, made through ${post.via}, read through ${page.via}, acknowledged ${atSecond(page.startMs - post.endMs)} before`,
      )
    }
  }
}
