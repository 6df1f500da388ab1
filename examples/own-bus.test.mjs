/** Proves the adapter: `npx vitest run own-bus.test.mjs`, with vitest and fast-check installed. */

import { busConformance } from 'rivulet/ports/bus/conformance'
import { createOwnBus } from './own-bus.mjs'

busConformance({ name: 'on an event emitter', open: async () => createOwnBus() })
