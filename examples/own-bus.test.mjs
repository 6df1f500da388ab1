/**
 * Proves the adapter. For a project of one's own, which has rivulet, vitest and fast-check installed:
 * `npx vitest run own-bus.test.mjs`.
 */

import { busConformance } from 'rivulet/ports/bus/conformance'
import { createOwnBus } from './own-bus.mjs'

busConformance({ name: 'on an event emitter', open: async () => createOwnBus() })
