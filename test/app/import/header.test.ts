/** The first row of an edge list: a header, an edge, or unclear, so that whoever runs the import must decide. */

import { expect, test } from 'vitest'
import { judgeFirstRow, type Pair } from '../../../src/app/import/header.ts'

const judge = (first: string, rest: readonly string[]) => {
  const pairOf = (row: string) => row.split(',') as unknown as Pair
  const verdict = judgeFirstRow(pairOf(first), rest.map(pairOf))
  return verdict.kind === 'header' && verdict.follower === 1 ? 'turned' : verdict.kind
}
const NUMBERS = ['0,23977', '1,34526']
const WORDS = ['ada,bob', 'cem,dan']

test.each([
  'follower,followee',
  'Follower,Followed',
  'FOLLOWER,FOLLOWING',
  'source,target',
  'Source,Target',
  'source_id,target_id',
  'sourceId,targetId',
  'src,dst',
  'src,dest',
  'from,to',
  'from_user,to_user',
  'user_from,user_to',
  'FromNodeId,ToNodeId',
  'From Node,To Node',
  'from-user-id,to-user-id',
  ':START_ID,:END_ID',
  'follower_user_id,followee_user_id',
  'follower.name,followee.name',
  'user_id,followee_id',
  'user,follows',
  'user_id,friend_id',
  'user,friend',
  'id_1,id_2',
  'id1,id2',
  'ID 1,ID 2',
  'node1,node2',
  'node_1,node_2',
  'vertex_a,vertex_b',
  'user_id_1,user_id_2',
  'user1_id,user2_id',
  'Person1Id,Person2Id',
  'Person.id,Person.id',
  'user,user',
])('%s is a header', (first) => {
  for (const rest of [NUMBERS, WORDS, ['user17,user4'], []]) expect(judge(first, rest)).toBe('header')
})

test.each([
  'followee,follower',
  'target,source',
  'to,from',
  'dst_id,src_id',
  'following_id,follower_id',
  'user_id,follower_id',
  'follows,user',
])('%s is a header, followee first', (first) => {
  for (const rest of [NUMBERS, WORDS, []]) expect(judge(first, rest)).toBe('turned')
})

test.each<[string, string[]]>([
  ['ada,bob', WORDS],
  ['ada,bob', []],
  ['ada,bob', ['1,dan']],
  ['ada,bob', ['bob,7', 'ada,8']],
  ['user1,user2', []],
  ['user1,user2', ['user3,user4']],
  ['user1,user2', WORDS],
  ['user_1,user_2', ['user_3,user_17']],
  ['id1,id2', ['id3,id4']],
  ['id_1,id_2', ['id_10,id_11']],
  ['node1,node2', ['node3,node4']],
  ['node_a,node_b', ['node_c,node_d']],
  ['u,v', ['v,w']],
  ['name,ada', ['ada,bob']],
  ['user,account', ['user,bob']],
  ['1,2', NUMBERS],
  ['1,2', WORDS],
  ['12a,34', NUMBERS],
  ['ada,5', NUMBERS],
  ['u1,u2', ['u3,u4']],
  ['a@x.org,b@x.org', ['c@x.org,d@x.org']],
  [
    '550e8400-e29b-41d4-a716-446655440000,6ba7b810-9dad-11d1-80b4-00c04fd430c8',
    ['6ba7b811-9dad-11d1-80b4-00c04fd430c8,6ba7b812-9dad-11d1-80b4-00c04fd430c8'],
  ],
  ['Ada,Bob', ['Cem,Dan']],
  ['Ada,bob', WORDS],
  ['张三,李四', ['王五,赵六']],
  ['tom,dustin', ['nodens,fania']],
])('%s before %j is an edge', (first, rest) => expect(judge(first, rest)).toBe('edge'))

test.each<[string, string[]]>([
  ['u,v', NUMBERS],
  ['u,v', WORDS],
  ['U,V', []],
  ['i,j', WORDS],
  ['user1,user2', ['17,18']],
  ['user_a,user_b', NUMBERS],
  ['this,that', NUMBERS],
  ['abonne,suivi', ['u12,u7']],
  ['Abonné,Suivi', WORDS],
  ['关注者,被关注者', NUMBERS],
  ['person,handle', WORDS],
  ['user,account', WORDS],
  ['name,eve', WORDS],
  ['from,eve', WORDS],
  ['follower,followee', ['followee,bob']],
  ['from,to', ['to,ada']],
  ['left,right', ['a@x.org,b@x.org']],
  ['left,right', ['did:plc:abc,did:plc:xyz']],
  ['left,right', ['Ada,Bob']],
])('%s before %j may be either', (first, rest) => expect(judge(first, rest)).toBe('unclear'))

test('a header that is repeated in the file is still a header', () => {
  expect(judge('source,target', ['ada,bob', 'source,target', 'cem,dan'])).toBe('header')
})

test('very long cells are judged fast', () => {
  const long = 'user'.repeat(250_000)
  expect(judge(`${long},${long}x`, [`${long}1,${long}2`])).toBe('unclear')
})
