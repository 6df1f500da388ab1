/**
 * Tests the adapter with the conformance suite of its port. In a project that has rivulet, vitest and fast-check
 * installed: `npx vitest run own-bus.test.mjs`.
 */

import { busConformance } from 'rivulet/ports/bus/conformance'
import { createOwnBus } from './own-bus.mjs'

busConformance({ name: 'on an event emitter', open: async () => createOwnBus() })
