/** The example on how to extend Rivulet works, in memory. */

import { bookmarkTests } from './bookmarks.ts'

bookmarkTests()
