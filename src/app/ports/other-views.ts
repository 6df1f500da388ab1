/** The views beside the timelines of the home feed, which have settings of their own. */

import { viewsOf } from '../../engine/domains.ts'
import { homeView } from '../../feed/index.ts'
import type { ViewSpec } from '../../ports/views/views.ts'
import { DOMAINS } from '../domains.ts'
import type { OpenPortsOptions } from './parts.ts'

export const otherSpecs = ({
  viewSpecs = viewsOf(DOMAINS),
}: Pick<OpenPortsOptions, 'viewSpecs'>): readonly ViewSpec[] =>
  viewSpecs.filter(({ name }) => name !== homeView.name)
