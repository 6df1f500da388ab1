/**
 * The scripts that run inside Redis. Every change of a group names its writer and the number of the writer's last change.
 * If Redis has stored another number, something was lost (a failover, a flush), and the script changes nothing. The new
 * number is written last; a replica gets all of a script's writes or none.
 *
 *   KEYS[1]  the group; all its other keys are in the same slot and begin with its name
 *   ARGV     writer, length of a group's value in bytes, the writer's last number, its new number; more for each script
 *
 * A script returns MISMATCH with the stored number, REPEATED for a change that it has made already (its answer was lost),
 * or its own result.
 */

import { defineScript, type RedisScript } from '../../drivers/redis.ts'

export const MISMATCH = -1
export const REPEATED = -2
/** A lane's horizon is below the one this process had set: entries that other processes wrote are lost, too. */
export const LOST = -3
/** The number of a writer that has stopped is kept for a week. */
const WRITER_LIFE_S = 7 * 86_400

const BEGIN = `
local group = KEYS[1]
local writer = group .. ':w:' .. ARGV[1]
local head = redis.pcall('GET', group)
local last = redis.call('GET', writer) or ''
if type(head) ~= 'string' or #head ~= tonumber(ARGV[2]) then return {${MISMATCH}, ''} end
if last ~= ARGV[3] then
  if last == ARGV[4] then return {${REPEATED}} end
  return {${MISMATCH}, last}
end
local function key(owner) return group .. ':' .. string.format('%d', owner) end
`
const END = `
redis.call('SET', writer, ARGV[4], 'EX', ${WRITER_LIFE_S})
`
const change = (body: string, result: string): RedisScript =>
  defineScript(`${BEGIN}${body}${END}return ${result}`)

/**
 * ARGV[5]: the length in bytes from which on a timeline is full. ARGV[6] and later: repeatedly an entry, the number of its
 * owners (u32) and these owners (u32 each). Returns the number of absent owners for each of these arguments, and a list of
 * the owners of full timelines. A string that is as long as one entry after the append was not there before. A key that
 * holds no string is not ours; it is deleted and counts as absent.
 */
export const INSERT = change(
  `
local full_bytes = tonumber(ARGV[5])
local absents, full = {}, {}
for part = 6, #ARGV do
  local bytes, at, absent = ARGV[part], 1, 0
  local size = #bytes
  while at < size do
    local entry = string.sub(bytes, at, at + 11)
    local count = struct.unpack('<I4', bytes, at + 12)
    at = at + 16
    for i = 1, count do
      local owner = struct.unpack('<I4', bytes, at)
      at = at + 4
      local name = key(owner)
      local length = redis.pcall('APPEND', name, entry)
      local is_foreign = type(length) == 'table' and string.find(length.err, '^WRONGTYPE')
      if type(length) == 'table' and not is_foreign then return length end
      if is_foreign or length == 12 or length % 12 ~= 0 then
        redis.call('DEL', name)
        absent = absent + 1
      elseif length >= full_bytes then
        full[#full + 1] = owner
      end
    end
  end
  absents[#absents + 1] = absent
end
`,
  '{absents, full}',
)

/** ARGV[5]: repeatedly owner and epoch (u32 each). */
export const OPEN = change(
  `
local generation = string.sub(head, 1, 4)
local rest = struct.pack('<dd', math.huge, 0)
for at = 1, #ARGV[5], 8 do
  local owner = struct.unpack('<I4', ARGV[5], at)
  redis.call('SET', key(owner), generation .. string.sub(ARGV[5], at + 4, at + 7) .. rest)
end
`,
  '{}',
)

const IF_EPOCH = `
local name = key(tonumber(ARGV[5]))
local is_there = redis.call('GETRANGE', name, 0, 7) == string.sub(head, 1, 4) .. ARGV[6]
`

/**
 * ARGV[5] owner, ARGV[6] epoch, ARGV[7] entries. Returns the timeline's length in bytes, 0 when it has another epoch. An
 * empty timeline is set as a whole: appending to it would take twice the memory.
 */
export const MERGE = change(
  `${IF_EPOCH}
local length = 0
if is_there and redis.call('STRLEN', name) == 24 then
  redis.call('SET', name, redis.call('GET', name) .. ARGV[7])
  length = 24 + #ARGV[7]
elseif is_there then
  length = redis.call('APPEND', name, ARGV[7])
end
`,
  '{length}',
)

/** ARGV[5] owner, ARGV[6] epoch, ARGV[7] floor. Returns 1, or 0 when the timeline has another epoch. */
export const SETTLE = change(
  `${IF_EPOCH}
if is_there then
  local floor = struct.unpack('<d', redis.call('GETRANGE', name, 8, 15))
  if struct.unpack('<d', ARGV[7]) < floor then redis.call('SETRANGE', name, 8, ARGV[7]) end
end
`,
  '{is_there and 1 or 0}',
)

/** ARGV[5]: owners (u32 each). */
export const EVICT = change(
  `
for at = 1, #ARGV[5], 4 do redis.call('DEL', key(struct.unpack('<I4', ARGV[5], at))) end
`,
  '{}',
)

/**
 * ARGV[5]: repeatedly a lane (u32), the horizon that this process set last (f64), and the new one (f64). If a lane is below
 * the former, Redis went back to an older state. It then also lost changes of other processes, which may never notice. So
 * the script returns LOST and changes nothing.
 */
export const ADVANCE = change(
  `
local list, risen = ARGV[5], {}
for at = 1, #list, 20 do
  local lane, from, to = struct.unpack('<I4dd', list, at)
  local stands = struct.unpack('<d', head, 5 + 8 * lane)
  if stands < from then return {${LOST}} end
  if to > stands then risen[lane] = string.sub(list, at + 12, at + 19) end
end
if next(risen) then
  local parts = {string.sub(head, 1, 4)}
  for lane = 0, (#head - 4) / 8 - 1 do
    parts[lane + 2] = risen[lane] or string.sub(head, 5 + 8 * lane, 12 + 8 * lane)
  end
  redis.call('SET', group, table.concat(parts))
end
`,
  '{}',
)

/**
 * Begins a new generation, so that every timeline of the group is lost. ARGV: writer, the number of its last change from
 * now on, generation, horizons (f64 each). A horizon that is higher already stays.
 */
export const RESET = defineScript(`
local head, horizons = redis.pcall('GET', KEYS[1]), ARGV[4]
local parts = {ARGV[3]}
local is_ours = type(head) == 'string' and #head == 4 + #horizons
for at = 1, #horizons, 8 do
  local horizon = string.sub(horizons, at, at + 7)
  local stands = is_ours and string.sub(head, at + 4, at + 11) or horizon
  parts[#parts + 1] = struct.unpack('<d', stands) > struct.unpack('<d', horizon) and stands or horizon
end
redis.call('SET', KEYS[1], table.concat(parts))
redis.call('SET', KEYS[1] .. ':w:' .. ARGV[1], ARGV[2], 'EX', ${WRITER_LIFE_S})
return {}`)

/**
 * Replaces a timeline that was read with a shorter one. KEYS[1]: the timeline. ARGV: the bytes that were read before the
 * floor, the length that was read, the bytes that were read at its end, then the new `trimmed` and entries. Does nothing
 * when the timeline is another one by now; entries that were appended meanwhile stay.
 */
export const REPLACE = defineScript(`
local size, tail = tonumber(ARGV[2]), #ARGV[3]
if redis.call('GETRANGE', KEYS[1], 0, 7) ~= ARGV[1] then return 0 end
if redis.call('GETRANGE', KEYS[1], size - tail, size - 1) ~= ARGV[3] then return 0 end
local floor = redis.call('GETRANGE', KEYS[1], 8, 15)
local added = redis.call('GETRANGE', KEYS[1], size, -1)
redis.call('SET', KEYS[1], ARGV[1] .. floor .. ARGV[4] .. added)
return 1`)
