/** Whether npm waits for the process that its script starts. */

import { expect, test } from 'vitest'
import { isWaitedFor } from '../../src/cli/starter.ts'

test.each<[string | undefined, boolean]>([
  ["'rivulet' serve", true],
  ['npm run --silent build && exec bin/rivulet.js serve --demo', true],
  ['rivulet serve > log 2>&1', true],
  ['rivulet serve &> log', true],
  ['rivulet serve &', false],
  ['rivulet serve > log 2>&1 & echo started', false],
  ['nohup rivulet serve', false],
  ['setsid rivulet serve', false],
  [undefined, false],
])('the script %s', (script, isWaited) => {
  expect(isWaitedFor({ npm_lifecycle_script: script })).toBe(isWaited)
})
