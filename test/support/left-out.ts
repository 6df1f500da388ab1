/** Prints which tests `npm test` leaves out. */

export default () => () =>
  console.log('left out: tests on real Kafka, Cassandra and Redis; npm run test:engines runs them')
