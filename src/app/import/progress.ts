/** How far a long task is; whoever runs it decides how to show that. */

export type Unit = 'items' | 'bytes'

/** Names a step and gives what to call as it goes on. */
export type Progress = (step: string, unit?: Unit) => (done: number, total: number) => void

export const noProgress: Progress = () => () => undefined
