/** Tests on real engines, which `npm test` leaves out: they are started first and ended afterwards. */

import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    // The whole API suite runs on them, too.
    include: ['test/**/*.engines.ts', 'test/http/*.test.ts'],
    globalSetup: ['test/support/engines-up.ts'],
    testTimeout: 120_000,
    hookTimeout: 240_000,
    // Some freeze an engine that the others use.
    fileParallelism: false,
  },
})
