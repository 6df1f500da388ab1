/** A named view as domains see it: its entries, and how far the reactors that hold it have come. */

import type { ViewSpec, Views } from '../ports/views/views.ts'
import type { Horizon } from './horizon/horizon.ts'

export interface View {
  readonly spec: ViewSpec
  readonly entries: Views
  readonly horizon: Horizon
  /** Writes the horizon of this process to the view now. */
  publish(): Promise<void>
  /** Timelines of an earlier owner of this partition of the log live on. */
  survived(partition: number): boolean
}

/** A view and where its entries are. */
export interface OpenView {
  readonly spec: ViewSpec
  readonly entries: Views
}
