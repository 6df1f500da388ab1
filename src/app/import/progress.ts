/** How a long task reports its progress; its caller decides how to show it. */

export type Unit = 'items' | 'bytes'

/** Begins a step. @returns to be called as the step goes on */
export type Progress = (step: string, unit?: Unit) => (done: number, total: number) => void

export const noProgress: Progress = () => () => undefined
