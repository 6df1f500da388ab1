/** Tests on real engines, which `npm test` leaves out. The engines are started before the tests and ended after them. */

import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    // The whole API suite also runs on real engines.
    include: ['test/**/*.engines.ts', 'test/http/*.test.ts'],
    globalSetup: ['test/support/engines-up.ts'],
    testTimeout: 120_000,
    hookTimeout: 240_000,
    // Some test files freeze an engine that other files use.
    fileParallelism: false,
  },
})
