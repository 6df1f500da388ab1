/** The example on how to extend Rivulet works on Kafka, Cassandra and Redis. */

import { bookmarkTests } from './bookmarks.ts'

bookmarkTests()
