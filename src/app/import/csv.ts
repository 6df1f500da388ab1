/** What `--edges FILE` and `--posts FILE` name. */

import { basename, resolve } from 'node:path'
import { assertReadable } from './lines.ts'
import { readEdgeRows, type Header } from './edge-rows.ts'
import type { ImportSource } from './import.ts'
import { readPostLines } from './post-lines.ts'

export interface CsvFiles {
  readonly edges?: string | undefined
  readonly posts?: string | undefined
  readonly mutual: boolean
  readonly header: Header
}

export async function csvSource({ edges, posts, mutual, header }: CsvFiles): Promise<ImportSource> {
  for (const path of [edges, posts]) if (path !== undefined) await assertReadable(resolve(path))
  const format = { separator: ',', header, moreColumns: false }
  const names = [edges, posts].flatMap((path) => (path === undefined ? [] : [basename(path)]))
  return {
    name: names.join('+'),
    ...(edges === undefined
      ? {}
      : { edges: { mutual, read: (reading) => readEdgeRows([edges], format, reading) } }),
    ...(posts === undefined ? {} : { posts: { read: (reading) => readPostLines(posts, reading) } }),
  }
}
