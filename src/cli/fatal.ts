/** Ends a process whose disk failed: at once, and never with exit code 0. Whatever was acknowledged is in the log. */

import { EXIT, reportFailure } from './failure.ts'

export function endAtOnce(error: unknown): never {
  process.exit(reportFailure(error) || EXIT.failed)
}
