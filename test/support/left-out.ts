/** Says what the everyday run does not run. */

export default () => () =>
  console.log('left out: tests on real Kafka, Cassandra and Redis; npm run test:engines runs them')
