/** The numbers of the feed's lists in cursors (http/list-cursors.ts). Those of the graph are in graph/lists.ts. */
export const LISTS = { home: 1, profile: 2 } as const
