/**
 * "Never wrong": every page that was read on the way, also in the middle of the fault. A page may be incomplete
 * and say so; it may not claim to be complete without what was acknowledged before it was asked for, and it may
 * never show what was refused, deleted, unheard of, or is of people whom the reader does not follow.
 */

import { mustBeGone, mustBeThere, type History, type Page, type PostOperation } from './history.ts'

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

function checkShown(history: History, page: Page, report: Report): void {
  let aboveId = page.belowId
  for (const { id, ref, author } of page.posts) {
    const post = history.byRef(ref)
    if (id >= aboveId) report(`${nameOf(page)} is out of order at post ${id}`)
    aboveId = id
    if (post === undefined || post.author !== author || (post.id !== undefined && post.id !== id)) {
      report(`${nameOf(page)} shows post ${id}, which nobody wrote so`)
    } else if (mustBeGone(post, page.startMs)) {
      report(`${nameOf(page)} shows post ${id}, which was ${post.outcome === 'fail' ? 'refused' : 'deleted'}`)
    }
    if (history.edgeDuring(page.reader, author, page.startMs, page.endMs) === 'off')
      report(`${nameOf(page)} shows post ${id} of p${author}, who is not followed`)
  }
}

/**
 * What must be there: acknowledged before the page was asked for, not taken back before it was answered, made at
 * or before `as_of`, within the page's range, and by somebody followed throughout. The range goes from where the
 * page was asked to begin down to its last post, or to the very end where nothing more was said to come.
 */
function checkClaim(history: History, page: Page, report: Report): void {
  const shown = new Set(page.posts.map(({ id }) => id))
  const lowestId = page.hasMore ? (page.posts.at(-1)?.id ?? page.belowId) : 0
  const isDue = (post: PostOperation) =>
    post.id !== undefined &&
    post.createdAtMs !== undefined &&
    post.endMs < page.startMs &&
    post.createdAtMs <= page.asOfMs &&
    post.id < page.belowId &&
    post.id >= lowestId &&
    mustBeThere(post, page.endMs)
  for (const author of history.authors) {
    if (history.edgeDuring(page.reader, author, page.startMs, page.endMs) !== 'on') continue
    for (const post of history.postsOf(author)) {
      if (!isDue(post) || shown.has(post.id ?? 0)) continue
      report(
        `${nameOf(page)} claims to be complete up to ${new Date(page.asOfMs).toISOString()} without post ${post.id} ` +
          `of p${author}, acknowledged ${atSecond(page.startMs - post.endMs)} before`,
      )
    }
  }
}
