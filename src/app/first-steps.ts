/** What to try first, as commands for a shell: the same in the terminal, on the page at the address, and in the document. */

export interface Step {
  readonly what: string
  /** Each is one line. */
  readonly commands: readonly string[]
}

const JSON_HEADER = `-H 'Content-Type: application/json'`

/** For a server of one's own. `$KEY` is the server key. @param base its address, or a variable that holds it */
export function firstSteps(base: string): readonly Step[] {
  const api = `${base}/api/v1`
  const key = `-H "Authorization: Bearer $KEY"`
  const asAda = `${key} -H 'Rivulet-Account: ext:ada'`
  return [
    {
      what: 'Create an account, or change it',
      commands: [`curl -s -X PUT "${api}/accounts/ext:ada" ${key} ${JSON_HEADER} -d '{"handle":"ada"}'`],
    },
    {
      what: 'Post as that account',
      commands: [`curl -s "${api}/posts" ${asAda} ${JSON_HEADER} -d '{"content":"Hello"}'`],
    },
    { what: 'Read its feed', commands: [`curl -s "${api}/feed?limit=5" ${asAda}`] },
  ]
}

/** So that whoever the last step follows is on the page that it reads. */
const DEMO_PAGE = 5

/** For the demo world. `$TOKEN` is that of its guest. */
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
