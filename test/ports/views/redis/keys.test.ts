import { expect, it } from 'vitest'
import { createKeys, GROUPS, groupOf } from '../../../../src/ports/views/redis/keys.ts'

it('the view home has the keys of a deployment from before views had names', () => {
  const keys = createKeys('rv:', 'home')
  expect(keys.groups[7]).toBe('rv:v:{7}')
  expect(keys.timeline(7 + GROUPS)).toBe('rv:v:{7}:263')
})

it('other views have their names in their keys, and the same slots', () => {
  const keys = createKeys('rv:', 'inbox')
  expect(keys.groups).toHaveLength(GROUPS)
  expect(keys.timeline(7 + GROUPS)).toBe(`rv:v:inbox:{${groupOf(7 + GROUPS)}}:263`)
})

it('a name that could be part of another key is refused', () => {
  for (const name of ['', 'Inbox', '1st', 'a:b', '{7}', 'a b', '-a', 'a'.repeat(33)]) {
    expect(() => createKeys('rv:', name), name).toThrow(expect.objectContaining({ code: 'config_invalid' }))
  }
})
