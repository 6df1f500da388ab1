/** The import source of `--edges FILE` and `--posts FILE`. */

import { basename, resolve } from 'node:path'
import { assertReadable } from './bytes.ts'
import { findLayout, type EdgeFormat } from './edge-layout.ts'
import { readEdgeRows } from './edge-rows.ts'
import type { ImportSource } from './import.ts'
import type { LineBatch } from './lines.ts'
import { readPostFile } from './post-rows.ts'

export interface CsvFiles extends EdgeFormat {
  readonly edges?: string | undefined
  readonly posts?: string | undefined
  /** Each row of the edge list is two follows. */
  readonly mutual: boolean
}

export async function csvSource({ edges, posts, mutual, ...format }: CsvFiles): Promise<ImportSource> {
  for (const path of [edges, posts]) if (path !== undefined) await assertReadable(resolve(path))
  const names = [edges, posts].flatMap((path) => (path === undefined ? [] : [basename(path)]))
  return {
    name: names.join('+'),
    ...(edges === undefined
      ? {}
      : { edges: { mutual, read: (reading) => readEdgeRows(listOf(edges, format), reading) } }),
    ...(posts === undefined ? {} : { posts: { read: (reading) => readPostFile(posts, reading) } }),
  }
}

const listOf = (path: string, format: EdgeFormat) => ({
  paths: [path],
  comment: format.comment,
  mayBeEmpty: false,
  layoutOf: (batch: LineBatch, notice: (text: string) => void) => findLayout(batch, format, notice),
})
