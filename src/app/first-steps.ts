/** First steps as commands for a shell. The terminal, the start page and the OpenAPI document show the same. */

export interface Step {
  readonly what: string
  /** Commands of one line each. */
  readonly commands: readonly string[]
}

const JSON_HEADER = `-H 'Content-Type: application/json'`

/** For a new server; `$KEY` is the server key. @param base the server's address, or a shell variable that holds it */
export function firstSteps(base: string): readonly Step[] {
  const api = `${base}/api/v1`
  const key = `-H "Authorization: Bearer $KEY"`
  const asAda = `${key} -H 'Rivulet-Account: ext:ada'`
  return [
    {
      what: 'Create an account, or change it if it exists',
      commands: [`curl -s -X PUT "${api}/accounts/ext:ada" ${key} ${JSON_HEADER} -d '{"handle":"ada"}'`],
    },
    {
      what: 'Post as that account',
      commands: [`curl -s "${api}/posts" ${asAda} ${JSON_HEADER} -d '{"content":"Hello"}'`],
    },
    { what: 'Read its feed', commands: [`curl -s "${api}/feed?limit=5" ${asAda}`] },
  ]
}

/** Posts on a page: enough that the page of the last step has posts of the star. */
const DEMO_PAGE = 5

/** For the demo world; `$TOKEN` is the token of its guest. */
export function demoSteps(base: string, star: string): readonly Step[] {
  const api = `${base}/api/v1`
  const token = `-H "Authorization: Bearer $TOKEN"`
  const feed = `curl -s "${api}/feed?limit=${DEMO_PAGE}" ${token}`
  return [
    { what: 'Read its feed', commands: [feed] },
    {
      what: 'Post something',
      commands: [
        `curl -s "${api}/posts" ${token} ${JSON_HEADER} -d '{"content":"Hello from the terminal!"}'`,
      ],
    },
    {
      what: `Follow @${star}, whose posts are pulled (it is above this world's push threshold), and read again`,
      commands: [`curl -s -X PUT "${api}/accounts/ext:${star}/follow" ${token}`, feed],
    },
  ]
}
