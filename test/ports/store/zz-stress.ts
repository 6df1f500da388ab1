import { spawn } from 'node:child_process'
import { rmSync, readdirSync } from 'node:fs'
import { findWalDamage } from '../../../src/ports/store/level-wal.ts'
const folder = '/tmp/stress/f'; rmSync(folder, { recursive: true, force: true })
let first = 1, multi = 0, damaged = 0, notices = 0, early = 0
const end = Date.now() + 150_000
let runs = 0
while (Date.now() < end) {
  runs++
  const c = spawn(process.execPath, ['--import', 'tsx', 'test/ports/store/zz-stress-child.ts', folder, String(first)], { stdio: ['ignore', 'pipe', 'inherit'] })
  let out = ''; const done = new Promise((r) => c.on('close', r))
  let isArmed = false
  c.stdout.on('data', (d) => { out += d; if (!isArmed && out.includes('open')) { isArmed = true; setTimeout(() => c.kill('SIGKILL'), Math.random() < 0.4 ? Math.random() * 5 : Math.random() * 300) } })
  await done
  if (/notice|fatal/.test(out)) { notices++; console.log(out.match(/(notice|fatal).*/)?.[0]) }
  const ws = [...out.matchAll(/^w (\d+)$/gm)].map((m) => Number(m[1])); first = Math.max(first, ...ws) + 1000
  const logs = readdirSync(folder).filter((n) => n.endsWith('.log')); if (logs.length > 1) multi++
  const d = await findWalDamage(folder); if (d) { damaged++; console.log(logs, d) }
}
console.log({ runs, multi, damaged, notices })
