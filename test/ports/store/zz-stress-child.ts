import { createRealEnv } from '../../../src/ports/env/real.ts'
import { openLevelStore } from '../../../src/ports/store/leveldb.ts'
import { posts, rowsOf, claims } from './leveldb-rows.ts'
const [folder, first] = process.argv.slice(2)
const store = await openLevelStore({ env: createRealEnv(), folder, onFatal: (e) => { console.log('fatal', e.message); process.exit(1) }, onNotice: (t) => console.log('notice', t), tuning: { writeBufferBytes: 65_536, cacheBytes: 0 } })
if (Math.random() < 0.5) { void store.checkpoint([0]); void store.insertIfAbsent([{ table: claims, partition: 'x' + first, sort: '', value: Buffer.from('1') }]) }
let v = Number(first)
console.log('open')
async function loop() { for (;;) { const mine = ++v; await store.write([...rowsOf(mine), ...(Math.random() < 0.05 ? [{ table: posts, partition: 'l', sort: String(mine), version: mine, value: Buffer.alloc(100_000) }] : [])]); process.stdout.write(`w ${mine}\n`) } }
async function ins() { for (let i = 0; ; i++) { await store.insertIfAbsent([{ table: claims, partition: `${first}-${i}`, sort: '', value: Buffer.from('1') }]); process.stdout.write(`c ${first}-${i}\n`) } }
async function chk() { for (;;) { await store.checkpoint([v]); await new Promise((r) => setTimeout(r, Math.random() * 30)) } }
void loop(); void loop(); void loop(); void ins(); if (Math.random() < 0.7) void chk()
