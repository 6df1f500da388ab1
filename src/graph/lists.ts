/** The numbers of the graph's lists in cursors (http/list-cursors.ts). Those of the feed are in feed/lists.ts. */
export const LISTS = { followers: 3, following: 4, blocks: 10, mutes: 9 } as const
