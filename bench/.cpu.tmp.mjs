// bench/graph.ts
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
var DATA_SETS = process.env["RIVULET_DATA_SETS"] ?? fileURLToPath(new URL("../../shared/data", import.meta.url));
function loadMusae() {
  const path = `${DATA_SETS}/musae-github/edges.csv`;
  if (!existsSync(path)) return void 0;
  const lines = readFileSync(path, "utf8").trim().split("\n").slice(1);
  const pairs = new Uint32Array(lines.length * 2);
  for (const [i, line] of lines.entries()) {
    const [a, b] = line.split(",");
    pairs[2 * i] = Number(a);
    pairs[2 * i + 1] = Number(b);
  }
  return fromMutual("musae-github", pairs);
}
function fromMutual(name, pairs) {
  const accounts = pairs.reduce((most, account) => Math.max(most, account), 0) + 1;
  const starts = new Uint32Array(accounts + 1);
  for (const account of pairs) starts[account + 1]++;
  for (let account = 0; account < accounts; account++) starts[account + 1] += starts[account];
  const next = starts.slice(0, accounts);
  const followers = new Uint32Array(pairs.length);
  for (let i = 0; i < pairs.length; i++) followers[next[pairs[i]]++] = pairs[i ^ 1];
  return { name, accounts, edges: followers.length, starts, followers };
}
var EXPONENT = 0.8;
var FOLLOWERS_MAX = 1e5;
function generatePowerLaw(accounts, edges, seed) {
  const random = createRandomU32(seed);
  const starts = powerLawStarts(accounts, edges);
  const followers = new Uint32Array(starts[accounts]);
  const seen = new Uint32Array(accounts);
  for (let author = 0; author < accounts; author++) {
    for (let at = starts[author]; at < starts[author + 1]; ) {
      const follower = below(random, accounts);
      if (seen[follower] === author + 1) continue;
      seen[follower] = author + 1;
      followers[at++] = follower;
    }
  }
  const name = `power law, ${accounts / 1e6} M accounts, ${(followers.length / 1e6).toFixed(1)} M edges`;
  return { name, accounts, edges: followers.length, starts, followers };
}
function powerLawStarts(accounts, edges) {
  const cap = Math.min(FOLLOWERS_MAX, accounts >> 1);
  const total = (scale) => {
    let sum = 0;
    for (let rank = 1; rank <= accounts; rank++) sum += followersAt(rank, scale, cap);
    return sum;
  };
  let [low, high] = [0, edges];
  for (let step = 0; step < 30; step++) {
    const middle = (low + high) / 2;
    if (total(middle) < edges) low = middle;
    else high = middle;
  }
  const starts = new Uint32Array(accounts + 1);
  for (let rank = 1; rank <= accounts; rank++) starts[rank] = starts[rank - 1] + followersAt(rank, high, cap);
  return starts;
}
var followersAt = (rank, scale, cap) => Math.min(cap, Math.round(scale * rank ** -EXPONENT));
function createRandomU32(seed) {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}
var below = (random, end) => Math.floor(random() / 2 ** 32 * end);
function shuffled(length, seed) {
  const random = createRandomU32(seed);
  const order = Uint32Array.from({ length }, (_, i) => i);
  for (let i = length - 1; i > 0; i--) {
    const other = below(random, i + 1);
    [order[i], order[other]] = [order[other], order[i]];
  }
  return order;
}

// src/core/errors.ts
var ERROR_CODES = {
  // the request itself
  invalid_request: 400,
  invalid_cursor: 400,
  invalid_id: 400,
  follow_self: 400,
  block_self: 400,
  mute_self: 400,
  unauthorized: 401,
  forbidden: 403,
  follow_refused: 403,
  repost_refused: 403,
  not_found: 404,
  method_not_allowed: 405,
  request_timeout: 408,
  conflict: 409,
  handle_taken: 409,
  external_id_taken: 409,
  idempotency_in_flight: 409,
  follow_limit: 409,
  payload_too_large: 413,
  uri_too_long: 414,
  unsupported_media_type: 415,
  idempotency_key_reused: 422,
  rate_limited: 429,
  // the system
  internal: 500,
  overloaded: 503,
  unavailable: 503,
  shutting_down: 503,
  outcome_unknown: 504,
  // start-up and data folders; these end a command, they never reach HTTP
  config_invalid: 500,
  data_locked: 500,
  data_newer_format: 500,
  data_corrupt: 500,
  disk_error: 500,
  import_invalid: 500
};
var RETRIABLE = /* @__PURE__ */ new Set([
  "request_timeout",
  "idempotency_in_flight",
  "rate_limited",
  "overloaded",
  "unavailable",
  "shutting_down",
  "outcome_unknown"
]);
var RivuletError = class extends Error {
  code;
  errors;
  retryAfterMs;
  constructor(code, message, options = {}) {
    super(message, options.cause === void 0 ? void 0 : { cause: options.cause });
    this.name = "RivuletError";
    this.code = code;
    this.errors = options.errors;
    this.retryAfterMs = options.retryAfterMs;
  }
  get status() {
    return ERROR_CODES[this.code];
  }
  get retriable() {
    return RETRIABLE.has(this.code);
  }
};
function assert(condition, message) {
  if (!condition) throw new RivuletError("internal", `invariant broken: ${message}`);
}

// src/core/limits.ts
var LIMITS = {
  timelineEntriesMax: 800,
  chunkFollowersMax: 1e3,
  followerBucketBits: 20,
  followingMax: 1e4,
  pageDefault: 20,
  pageMax: 100,
  lookupIdsMax: 100,
  afterServedMax: 128,
  contentGraphemesMax: 5e3,
  contentBytesMax: 262144,
  customBytesMax: 8192,
  customDepthMax: 32,
  handleLengthMax: 30,
  externalIdLengthMax: 128,
  displayNameGraphemesMax: 100,
  bioGraphemesMax: 500,
  clientRefLengthMax: 128,
  idempotencyKeyLengthMax: 255,
  idempotencyTtlMs: 24 * 36e5,
  bodyBytesMax: 524288,
  logRecordBytesMax: 1048576,
  workerBatchEvents: 256,
  workerBatchBytesMax: 4194304,
  repostWindowMs: 12 * 36e5,
  outboxCacheEntries: 512,
  openPlansMax: 1e4,
  rebuildQueueMax: 1e4
};
assert(LIMITS.pageMax <= LIMITS.afterServedMax, "an `after` cursor must hold the ids of one page");
assert(LIMITS.pageMax < LIMITS.timelineEntriesMax, "a page must fit into a timeline");
assert(LIMITS.contentBytesMax + LIMITS.customBytesMax < LIMITS.bodyBytesMax, "a full post must fit a body");
assert(LIMITS.bodyBytesMax < LIMITS.logRecordBytesMax, "a body must fit a log record");

// bench/spread-stream.ts
var FIRST_ID = 2 ** 51;
var ID_STEP = 128;
var BATCH_OWNERS = 4e3;
var postingOrder = (graph, round) => shuffled(graph.accounts, 77 + round);
function* batches(graph, orders, insertsMax = Infinity) {
  let [batch, owners, id, left] = [[], 0, FIRST_ID, insertsMax];
  for (const order of orders) {
    for (const author of order) {
      id += ID_STEP;
      if (left <= 0) break;
      const end = graph.starts[author + 1];
      for (let from = graph.starts[author]; from < end && left > 0; from += LIMITS.chunkFollowersMax) {
        const to = Math.min(from + LIMITS.chunkFollowersMax, end, from + left);
        batch.push({ id, author, kind: 0, owners: graph.followers.subarray(from, to) });
        owners += to - from;
        left -= to - from;
        if (owners < BATCH_OWNERS) continue;
        yield batch;
        [batch, owners] = [[], 0];
      }
    }
  }
  if (batch.length > 0) yield batch;
}

// bench/redis.ts
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "redis";
var newClient = (path) => createClient({ socket: { path, tls: false, reconnectStrategy: () => 50 } });
async function startRedis() {
  const folder = mkdtempSync(join(tmpdir(), "rivulet-bench-"));
  const socketPath = join(folder, "redis.sock");
  const options = [
    "--port",
    "0",
    "--unixsocket",
    socketPath,
    "--save",
    "",
    "--appendonly",
    "no",
    "--dir",
    folder
  ];
  const child = spawn("redis-server", options, { stdio: "ignore" });
  process.once("exit", () => child.kill());
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(1));
  const client = newClient(socketPath);
  client.on("error", () => void 0);
  await client.connect();
  return {
    socketPath,
    client,
    async usedBytes() {
      return Number(/used_memory:(\d+)/.exec(await client.info("memory"))?.[1]);
    },
    async stop() {
      await client.close();
      await stopChild(child);
      rmSync(folder, { recursive: true, force: true });
    }
  };
}
async function stopChild(child) {
  const exited = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  await exited;
}
var BUFFER_BYTES = 256 * 1024;
var COMMAND_BYTES_MAX = 256;
var IN_FLIGHT_COMMANDS_MAX = 32768;
var NEWLINE = 10;
var MINUS = 45;
var RawPipeline = class _RawPipeline {
  socket;
  buffer = Buffer.allocUnsafe(BUFFER_BYTES);
  used = 0;
  inFlight = 0;
  failed;
  atLineStart = true;
  wake;
  static async open(socketPath) {
    const socket = connect(socketPath);
    await new Promise((resolve, reject) => socket.once("connect", resolve).once("error", reject));
    return new _RawPipeline(socket);
  }
  constructor(socket) {
    this.socket = socket;
    socket.on("data", (chunk) => this.countReplies(chunk));
    socket.on("error", (error) => this.fail(error));
  }
  /** Latin text only. @returns true when the caller should await `drain` before more */
  command(text) {
    this.used += this.buffer.write(text, this.used, "latin1");
    this.inFlight++;
    if (this.used > BUFFER_BYTES - COMMAND_BYTES_MAX) this.flush();
    return this.inFlight >= IN_FLIGHT_COMMANDS_MAX;
  }
  /** Waits until at most `left` replies are due. */
  async drain(left = IN_FLIGHT_COMMANDS_MAX / 2) {
    this.flush();
    while (this.inFlight > left && this.failed === void 0) {
      await new Promise((resolve) => this.wake = resolve);
    }
    if (this.failed !== void 0) throw this.failed;
  }
  close() {
    this.socket.destroy();
  }
  flush() {
    if (this.used === 0) return;
    this.socket.write(this.buffer.subarray(0, this.used));
    this.buffer = Buffer.allocUnsafe(BUFFER_BYTES);
    this.used = 0;
  }
  countReplies(chunk) {
    for (const byte of chunk) {
      if (this.atLineStart && byte === MINUS)
        this.fail(new Error(`redis: ${chunk.toString("latin1", 0, 200)}`));
      this.atLineStart = byte === NEWLINE;
      if (byte === NEWLINE) this.inFlight--;
    }
    this.wake?.();
  }
  fail(error) {
    this.failed = error;
    this.wake?.();
  }
};
var bulk = (text) => `$${text.length}\r
${text}\r
`;
var zaddTail = (id) => bulk(`${id}`).repeat(2);
var zaddTo = (key, tail) => `*4\r
$4\r
ZADD\r
${bulk(key)}${tail}`;
var trimTo = (key, cap) => `*4\r
$15\r
ZREMRANGEBYRANK\r
${bulk(key)}${bulk("0")}${bulk(`${-cap - 1}`)}`;

// src/core/ids.ts
var EPOCH_MS = Date.UTC(2004, 0, 1);
var SEQUENCES = 128;
var NODES = 512;
var IDS_PER_TICK = SEQUENCES * NODES;
var TICKS_MAX = 2 ** 37;
var ID_MAX = Number.MAX_SAFE_INTEGER;

// src/ports/views/slabs.ts
var ENTRY_WORDS = 3;
var BLOCK_ENTRIES = 13;
var LINK_WORD = BLOCK_ENTRIES * ENTRY_WORDS;
var BLOCK_WORDS = LINK_WORD + 1;
var BLOCK_BYTES = BLOCK_WORDS * 4;
var BLOCK_NONE = 0;
var SLAB_SHIFT = 15;
var SLAB_BLOCKS = 1 << SLAB_SHIFT;
var SLAB_MASK = SLAB_BLOCKS - 1;
var FIRST_BLOCKS = 512;
var GROWTH_BLOCKS_MIN = 64;
var Slabs = class {
  /** Block `b` starts at word `(b & SLAB_MASK) * BLOCK_WORDS` of slab `b >>> SLAB_SHIFT`. Growing replaces the last one. */
  slabs = [];
  bytes = 0;
  freed = BLOCK_NONE;
  /** Blocks from here on were never taken. Block 0 stands for "none" and stays empty. */
  fresh = 1;
  held = 0;
  constructor() {
    this.grow(FIRST_BLOCKS * BLOCK_BYTES);
  }
  /** A block with arbitrary content, or `BLOCK_NONE`. */
  take() {
    const block = this.freed;
    if (block !== BLOCK_NONE) {
      this.freed = this.slabs[block >>> SLAB_SHIFT][(block & SLAB_MASK) * BLOCK_WORDS + LINK_WORD];
      return block;
    }
    return this.fresh < this.held ? this.fresh++ : BLOCK_NONE;
  }
  give(block) {
    this.slabs[block >>> SLAB_SHIFT][(block & SLAB_MASK) * BLOCK_WORDS + LINK_WORD] = this.freed;
    this.freed = block;
  }
  /**
   * Makes more blocks out of at most `roomBytes`. The last slab is doubled until it has its full size, so a
   * small server holds a small slab; while it is copied, both copies exist.
   */
  grow(roomBytes) {
    const last = this.slabs.at(-1);
    const room = Math.floor(roomBytes / BLOCK_BYTES);
    if (last === void 0 || last.length === SLAB_BLOCKS * BLOCK_WORDS) return this.add(room);
    const blocksBefore = last.length / BLOCK_WORDS;
    const blocks = Math.min(blocksBefore * 2, SLAB_BLOCKS, blocksBefore + room);
    if (blocks - blocksBefore < Math.min(GROWTH_BLOCKS_MIN, SLAB_BLOCKS - blocksBefore)) return false;
    const slab = new Uint32Array(blocks * BLOCK_WORDS);
    slab.set(last);
    this.slabs[this.slabs.length - 1] = slab;
    this.hold(blocks - blocksBefore);
    return true;
  }
  add(room) {
    const blocks = Math.min(this.slabs.length === 0 ? FIRST_BLOCKS : SLAB_BLOCKS, room);
    if (blocks < GROWTH_BLOCKS_MIN) return false;
    this.slabs.push(new Uint32Array(blocks * BLOCK_WORDS));
    this.hold(blocks);
    return true;
  }
  hold(blocks) {
    this.held += blocks;
    this.bytes += blocks * BLOCK_BYTES;
  }
};

// src/ports/views/headers.ts
var CHUNK_SHIFT = 13;
var CHUNK_ACCOUNTS = 1 << CHUNK_SHIFT;
var CHUNK_MASK = CHUNK_ACCOUNTS - 1;
var HEADER_SHIFT = 3;
var HEADER_WORDS = 1 << HEADER_SHIFT;
var CHUNK_BYTES = CHUNK_ACCOUNTS * (HEADER_WORDS * 4 + 1);
var DIRECTORY_LENGTH = 2 ** 32 / CHUNK_ACCOUNTS;
var DIRECTORY_BYTES = DIRECTORY_LENGTH * 4;
var NEWEST = 0;
var OLDEST = 1;
var STATE = 2;
var TRIMMED_LOW = 3;
var TRIMMED_HIGH = 4;
var FLOOR_LOW = 5;
var FLOOR_HIGH = 6;
var EPOCH_LOW = 7;
var COUNT_MASK = 65535;
var START_SHIFT = 16;
var END_SHIFT = 20;
var SLOT_MASK = 15;
var PRESENT = 1 << 24;
var SETTLED = 1 << 25;
var EMPTY = PRESENT | BLOCK_ENTRIES << END_SHIFT;
var HIGH_BITS = 21;
var HIGH_MASK = (1 << HIGH_BITS) - 1;
var TWO_32 = 2 ** 32;
var CLOCK_ABSENT = 0;
var CLOCK_COLD = 1;
var CLOCK_WARM = 2;
var Headers = class {
  /** Chunk index + 1 by the high bits of an account number; 0: none. Pages of it that are never touched cost no memory. */
  directory = new Uint32Array(DIRECTORY_LENGTH);
  words = [];
  clocks = [];
  /** Which part of the directory each chunk serves, and how many headers it holds. */
  ranges = [];
  living = [];
  timelines = 0;
  get bytes() {
    return DIRECTORY_BYTES + this.words.length * CHUNK_BYTES;
  }
  /** The chunk of an account, or -1. */
  chunkOf(owner) {
    return this.directory[owner >>> CHUNK_SHIFT] - 1;
  }
  addChunk(owner) {
    this.words.push(new Uint32Array(CHUNK_ACCOUNTS * HEADER_WORDS));
    this.clocks.push(new Uint8Array(CHUNK_ACCOUNTS));
    this.living.push(0);
    this.ranges.push(owner >>> CHUNK_SHIFT);
    this.directory[owner >>> CHUNK_SHIFT] = this.words.length;
    return this.words.length - 1;
  }
  /** The chunk whose loss costs least. */
  emptiestChunk() {
    let best = 0;
    for (let chunk = 1; chunk < this.living.length; chunk++) {
      if (this.living[chunk] < this.living[best]) best = chunk;
    }
    return best;
  }
  /** Gives a chunk without headers to another range of accounts. */
  moveChunk(chunk, owner) {
    this.directory[this.ranges[chunk]] = 0;
    this.ranges[chunk] = owner >>> CHUNK_SHIFT;
    this.directory[owner >>> CHUNK_SHIFT] = chunk + 1;
  }
  /** A fresh header: nothing trimmed, not settled. */
  open(chunk, index, epoch) {
    const words = this.words[chunk];
    const base = index << HEADER_SHIFT;
    if (words[base + STATE] === 0) {
      this.living[chunk]++;
      this.timelines++;
    }
    words.fill(0, base, base + HEADER_WORDS);
    words[base + STATE] = EMPTY;
    words[base + FLOOR_HIGH] = Math.floor(epoch / TWO_32) << HIGH_BITS;
    words[base + EPOCH_LOW] = epoch >>> 0;
    this.clocks[chunk][index] = CLOCK_COLD;
  }
  remove(chunk, index) {
    this.words[chunk][(index << HEADER_SHIFT) + STATE] = 0;
    this.clocks[chunk][index] = CLOCK_ABSENT;
    this.living[chunk]--;
    this.timelines--;
  }
};
var baseOf = (owner) => (owner & CHUNK_MASK) << HEADER_SHIFT;
var epochOf = (words, base) => (words[base + FLOOR_HIGH] >>> HIGH_BITS) * TWO_32 + words[base + EPOCH_LOW];
var trimmedOf = (words, base) => words[base + TRIMMED_HIGH] * TWO_32 + words[base + TRIMMED_LOW];
function raiseTrimmed(words, base, id) {
  if (id <= trimmedOf(words, base)) return;
  words[base + TRIMMED_LOW] = id >>> 0;
  words[base + TRIMMED_HIGH] = Math.floor(id / TWO_32);
}
var settledFloorOf = (words, base) => (words[base + STATE] & SETTLED) === 0 ? Infinity : (words[base + FLOOR_HIGH] & HIGH_MASK) * TWO_32 + words[base + FLOOR_LOW];
var floorOf = (words, base) => Math.max(settledFloorOf(words, base), trimmedOf(words, base));
function lowerFloor(words, base, floor) {
  if (floor >= settledFloorOf(words, base)) return;
  words[base + STATE] |= SETTLED;
  words[base + FLOOR_LOW] = floor >>> 0;
  words[base + FLOOR_HIGH] = words[base + FLOOR_HIGH] & ~HIGH_MASK | Math.floor(floor / TWO_32);
}

// src/ports/views/clock.ts
var SPARED_MAX = 65536;
var Clock = class {
  /** The choice of the last `advance`. */
  chunk = 0;
  index = -1;
  headers;
  constructor(headers) {
    this.headers = headers;
  }
  /** False when no timeline but the one at `words`, `base` holds a block. */
  advance(words, base) {
    let spared = 0;
    const chunksMax = 2 * this.headers.clocks.length + 1;
    for (let passed = 0; passed <= chunksMax; passed++) {
      const clocks = this.headers.clocks[this.chunk];
      for (let index = this.index + 1; index < clocks.length; index++) {
        if (clocks[index] === CLOCK_ABSENT || !this.mayTake(index, words, base)) continue;
        if (clocks[index] === CLOCK_WARM && spared < SPARED_MAX) {
          clocks[index] = CLOCK_COLD;
          spared++;
          continue;
        }
        this.index = index;
        return true;
      }
      this.index = -1;
      this.chunk = (this.chunk + 1) % this.headers.clocks.length;
    }
    return false;
  }
  mayTake(index, words, base) {
    const chunkWords = this.headers.words[this.chunk];
    const at = index << HEADER_SHIFT;
    return chunkWords[at + NEWEST] !== BLOCK_NONE && !(chunkWords === words && at === base);
  }
};

// src/ports/views/merger.ts
var Merger = class {
  rings;
  capacity;
  present;
  union;
  constructor(rings, capacity) {
    this.rings = rings;
    this.capacity = capacity;
    this.present = new Uint32Array(capacity * ENTRY_WORDS);
    this.union = new Uint32Array(capacity * ENTRY_WORDS);
  }
  get bytes() {
    return this.present.byteLength + this.union.byteLength;
  }
  merge(words, base, entries) {
    const count = this.rings.copyTo(words, base, this.present);
    const kept = this.unite(words, base, count, entries);
    this.rings.clear(words, base);
    for (let at = (kept - 1) * ENTRY_WORDS; at >= 0; at -= ENTRY_WORDS) {
      this.rings.append(words, base, this.union[at] | 0, this.union[at + 1] | 0, this.union[at + 2] | 0);
    }
  }
  /** Fills `union`, newest first; what finds no room counts as trimmed. @returns its length */
  unite(words, base, count, entries) {
    let [fromPresent, fromNew, kept] = [0, 0, 0];
    for (; ; ) {
      const presentId = fromPresent < count ? idOf(this.present, fromPresent) : -1;
      const newId = fromNew < entries.length ? entries.ids[fromNew] : -1;
      const id = Math.max(presentId, newId);
      if (id < 0) return kept;
      if (kept === this.capacity) {
        raiseTrimmed(words, base, id);
        return kept;
      }
      if (id === presentId) this.keepPresent(kept, fromPresent++);
      else this.keepNew(kept, entries, fromNew);
      kept++;
      while (fromNew < entries.length && entries.ids[fromNew] === id) fromNew++;
    }
  }
  keepPresent(row, from) {
    for (let word = 0; word < ENTRY_WORDS; word++) {
      this.union[row * ENTRY_WORDS + word] = this.present[from * ENTRY_WORDS + word];
    }
  }
  keepNew(row, entries, from) {
    const id = entries.ids[from];
    this.union[row * ENTRY_WORDS] = id >>> 0;
    this.union[row * ENTRY_WORDS + 1] = packHigh(id, entries.kinds[from]);
    this.union[row * ENTRY_WORDS + 2] = entries.authors[from];
  }
};
var packHigh = (id, kind) => Math.floor(id / TWO_32) | kind << HIGH_BITS;
var idOf = (packed, row) => (packed[row * ENTRY_WORDS + 1] & HIGH_MASK) * TWO_32 + packed[row * ENTRY_WORDS];

// src/ports/views/pages.ts
var BUFFER_BYTES2 = 256 * 1024;
var ENTRY_BYTES = 8 + 4 + 2;
var ALIGN_BYTES = 8;
var Pages = class {
  buffer = new ArrayBuffer(BUFFER_BYTES2);
  used = 0;
  take(length) {
    const bytes = Math.ceil(length * ENTRY_BYTES / ALIGN_BYTES) * ALIGN_BYTES;
    if (this.used + bytes > this.buffer.byteLength) {
      this.buffer = new ArrayBuffer(Math.max(BUFFER_BYTES2, bytes));
      this.used = 0;
    }
    const at = this.used;
    this.used += bytes;
    return {
      length,
      ids: new Float64Array(this.buffer, at, length),
      authors: new Uint32Array(this.buffer, at + 8 * length, length),
      kinds: new Uint16Array(this.buffer, at + 12 * length, length)
    };
  }
};

// src/ports/views/rings.ts
var ENTRY_ADDED = 1 + (1 << END_SHIFT);
var Rings = class {
  entries = 0;
  slabs;
  arrays;
  capacity;
  makeRoom;
  /** Blocks of the ring being changed, newest first, as far as they were walked. */
  chain;
  chained = 0;
  constructor(slabs, capacity, makeRoom) {
    this.slabs = slabs;
    this.arrays = slabs.slabs;
    this.capacity = capacity;
    this.makeRoom = makeRoom;
    this.chain = new Uint32Array(blocksMax(capacity) + 1);
  }
  /** True when the entry is new and stays. The first lines are the hottest of all: the entry goes to the end. */
  insert(words, base, low, high, author) {
    const state = words[base + STATE] | 0;
    const block = words[base + NEWEST] | 0;
    const end = state >>> END_SHIFT & SLOT_MASK;
    const array = this.arrays[block >>> SLAB_SHIFT];
    const at = slotWord(block, end);
    const idHigh = high & HIGH_MASK;
    const lastHigh = array[at - ENTRY_WORDS + 1] & HIGH_MASK;
    if (idHigh < lastHigh || idHigh === lastHigh && low >>> 0 <= array[at - ENTRY_WORDS]) {
      return this.insertBelow(words, base, low, high, author);
    }
    if (end === BLOCK_ENTRIES || (state & COUNT_MASK) === this.capacity) {
      this.append(words, base, low, high, author);
    } else {
      array[at] = low;
      array[at + 1] = high;
      array[at + 2] = author;
      words[base + STATE] = state + ENTRY_ADDED;
      this.entries++;
    }
    return true;
  }
  /** The entry must be above all others. */
  append(words, base, low, high, author) {
    if ((words[base + STATE] & COUNT_MASK) === this.capacity) this.trimOldest(words, base);
    if ((words[base + STATE] >>> END_SHIFT & SLOT_MASK) === BLOCK_ENTRIES) this.addBlock(words, base);
    const state = words[base + STATE] | 0;
    const block = words[base + NEWEST] | 0;
    const array = this.arrays[block >>> SLAB_SHIFT];
    const at = slotWord(block, state >>> END_SHIFT & SLOT_MASK);
    array[at] = low;
    array[at + 1] = high;
    array[at + 2] = author;
    words[base + STATE] = state + ENTRY_ADDED;
    this.entries++;
  }
  /** Frees all blocks; header and flags stay. */
  clear(words, base) {
    this.noteTrimmed(words, base);
    let block = words[base + OLDEST];
    let older = BLOCK_NONE;
    while (block !== BLOCK_NONE) {
      const newer = this.link(block) ^ older;
      this.slabs.give(block);
      older = block;
      block = newer;
    }
    this.entries -= words[base + STATE] & COUNT_MASK;
    this.setEmpty(words, base);
  }
  /** Copies all entries, packed and newest first. @returns how many */
  copyTo(words, base, target) {
    const count = words[base + STATE] & COUNT_MASK;
    this.chained = 0;
    for (let depth = 0; depth < count; depth++) {
      const [array, at] = [this.arrayAt(words, base, depth), this.wordAt(words, base, depth)];
      target[depth * ENTRY_WORDS] = array[at];
      target[depth * ENTRY_WORDS + 1] = array[at + 1];
      target[depth * ENTRY_WORDS + 2] = array[at + 2];
    }
    return count;
  }
  /**
   * Brings the header's largest trimmed id up to date. Trims leave it to this: they would have to fetch the
   * oldest block for it each time, which is most of what an insert into a full timeline costs. The entry that
   * went last still stands in the slot before the first one used.
   */
  noteTrimmed(words, base) {
    const start = words[base + STATE] >>> START_SHIFT & SLOT_MASK;
    if (start > 0) this.noteSlot(words, base, start - 1);
  }
  noteSlot(words, base, slot) {
    const block = words[base + OLDEST];
    const array = this.arrays[block >>> SLAB_SHIFT];
    const at = slotWord(block, slot);
    raiseTrimmed(words, base, (array[at + 1] & HIGH_MASK) * TWO_32 + array[at]);
  }
  trimOldest(words, base) {
    const state = words[base + STATE] | 0;
    const start = state >>> START_SHIFT & SLOT_MASK;
    this.entries--;
    if (start + 1 < BLOCK_ENTRIES && (state & COUNT_MASK) > 1) {
      words[base + STATE] = state - 1 + (1 << START_SHIFT);
      return;
    }
    this.noteSlot(words, base, start);
    if ((state & COUNT_MASK) > 1) {
      words[base + STATE] = state - 1 - (start << START_SHIFT);
      this.dropOldestBlock(words, base);
    } else {
      this.slabs.give(words[base + OLDEST]);
      this.setEmpty(words, base);
    }
  }
  dropOldestBlock(words, base) {
    const block = words[base + OLDEST];
    const newer = this.link(block);
    this.relink(newer, block);
    words[base + OLDEST] = newer;
    this.slabs.give(block);
  }
  addBlock(words, base) {
    let block = this.slabs.take();
    if (block === BLOCK_NONE) {
      this.makeRoom(words, base);
      block = this.slabs.take();
    }
    const newest = words[base + NEWEST];
    this.arrays[block >>> SLAB_SHIFT][slotWord(block, 0) + LINK_WORD] = newest;
    if (newest === BLOCK_NONE) words[base + OLDEST] = block;
    else this.relink(newest, block);
    words[base + NEWEST] = block;
    words[base + STATE] &= ~(SLOT_MASK << END_SHIFT);
  }
  /** Out of order: the newer entries move up by one. Nearly always these are few. */
  insertBelow(words, base, low, high, author) {
    const id = (high & HIGH_MASK) * TWO_32 + (low >>> 0);
    const depth = this.depthOf(words, base, id);
    const count = words[base + STATE] & COUNT_MASK;
    if (depth < count && this.idAt(words, base, depth) === id) return false;
    if (count === this.capacity) {
      if (depth === count) {
        raiseTrimmed(words, base, id);
        return false;
      }
      this.trimOldest(words, base);
    }
    this.append(words, base, low, high, author);
    this.chained = 0;
    for (let d = 0; d < depth; d++) this.copyEntry(words, base, d + 1, d);
    this.write(words, base, depth, low, high, author);
    return true;
  }
  /** How many entries are above `id`. */
  depthOf(words, base, id) {
    const count = words[base + STATE] & COUNT_MASK;
    this.chained = 0;
    let depth = 0;
    while (depth < count && this.idAt(words, base, depth) > id) depth++;
    return depth;
  }
  copyEntry(words, base, from, to) {
    const array = this.arrayAt(words, base, from);
    const at = this.wordAt(words, base, from);
    this.write(words, base, to, array[at] | 0, array[at + 1] | 0, array[at + 2] | 0);
  }
  write(words, base, depth, low, high, author) {
    const array = this.arrayAt(words, base, depth);
    const at = this.wordAt(words, base, depth);
    array[at] = low;
    array[at + 1] = high;
    array[at + 2] = author;
  }
  idAt(words, base, depth) {
    const array = this.arrayAt(words, base, depth);
    const at = this.wordAt(words, base, depth);
    return (array[at + 1] & HIGH_MASK) * TWO_32 + array[at];
  }
  arrayAt(words, base, depth) {
    return this.arrays[this.blockAt(words, base, depth) >>> SLAB_SHIFT];
  }
  wordAt(words, base, depth) {
    const back = slotsBack(words[base + STATE], depth);
    return slotWord(this.blockAt(words, base, depth), BLOCK_ENTRIES - 1 - back % BLOCK_ENTRIES);
  }
  /** The block that holds the entry `depth` below the newest; walks the links once per change. */
  blockAt(words, base, depth) {
    const position = Math.floor(slotsBack(words[base + STATE], depth) / BLOCK_ENTRIES);
    const chain = this.chain;
    if (this.chained === 0) chain[this.chained++] = words[base + NEWEST];
    while (this.chained <= position) {
      const last = this.chained - 1;
      chain[this.chained++] = this.link(chain[last]) ^ (last === 0 ? BLOCK_NONE : chain[last - 1]);
    }
    return chain[position];
  }
  link(block) {
    return this.arrays[block >>> SLAB_SHIFT][slotWord(block, 0) + LINK_WORD];
  }
  /** Adds `neighbour` to a block's link, or takes it out: the same with XOR. */
  relink(block, neighbour) {
    this.arrays[block >>> SLAB_SHIFT][slotWord(block, 0) + LINK_WORD] ^= neighbour;
  }
  setEmpty(words, base) {
    words[base + NEWEST] = BLOCK_NONE;
    words[base + OLDEST] = BLOCK_NONE;
    words[base + STATE] = EMPTY | words[base + STATE] & SETTLED;
  }
};
var blocksMax = (capacity) => Math.ceil((capacity + BLOCK_ENTRIES - 1) / BLOCK_ENTRIES);
var slotWord = (block, slot) => (block & SLAB_MASK) * BLOCK_WORDS + slot * ENTRY_WORDS;
var slotsBack = (state, depth) => depth + BLOCK_ENTRIES - (state >>> END_SHIFT & SLOT_MASK);

// src/ports/views/reader.ts
var Reader = class {
  arrays;
  pages;
  block = BLOCK_NONE;
  newer = BLOCK_NONE;
  /** The entry to read next, and how many there are from it down. */
  slot = 0;
  left = 0;
  constructor(arrays, pages) {
    this.arrays = arrays;
    this.pages = pages;
  }
  read(words, base, below2, limit) {
    this.block = words[base + NEWEST];
    this.newer = BLOCK_NONE;
    this.slot = (words[base + STATE] >>> END_SHIFT & SLOT_MASK) - 1;
    this.left = words[base + STATE] & COUNT_MASK;
    this.skipTo(below2);
    const page = this.pages.take(Math.max(0, Math.min(limit, this.left)));
    this.fill(page);
    return page;
  }
  skipTo(below2) {
    while (this.left > 0) {
      const inBlock = Math.min(this.slot + 1, this.left);
      if (this.idAt(this.slot + 1 - inBlock) < below2) break;
      this.nextBlock(inBlock);
    }
    while (this.left > 0 && this.idAt(this.slot) >= below2) {
      this.slot--;
      this.left--;
    }
  }
  fill(page) {
    let row = 0;
    while (row < page.length) {
      const array = this.arrays[this.block >>> SLAB_SHIFT];
      const inBlock = Math.min(this.slot + 1, page.length - row);
      let at = slotWord(this.block, this.slot);
      for (const end = row + inBlock; row < end; row++) {
        page.ids[row] = (array[at + 1] & HIGH_MASK) * TWO_32 + array[at];
        page.kinds[row] = array[at + 1] >>> HIGH_BITS;
        page.authors[row] = array[at + 2];
        at -= ENTRY_WORDS;
      }
      this.nextBlock(inBlock);
    }
  }
  nextBlock(entries) {
    const link = this.arrays[this.block >>> SLAB_SHIFT][slotWord(this.block, 0) + LINK_WORD];
    const older = link ^ this.newer;
    this.newer = this.block;
    this.block = older;
    this.slot = BLOCK_ENTRIES - 1;
    this.left -= entries;
  }
  idAt(slot) {
    const array = this.arrays[this.block >>> SLAB_SHIFT];
    const at = slotWord(this.block, slot);
    return (array[at + 1] & HIGH_MASK) * TWO_32 + array[at];
  }
};

// src/ports/views/prefetch.ts
var GROUP_OWNERS = 128;
var LAST_SLOT = BLOCK_ENTRIES - 1;
var Prefetch = class {
  /** Makes the loads count as used. */
  sink = 0;
  directory;
  chunks;
  arrays;
  capacity;
  /** Where the newest entry of each timeline stands, and the oldest if its block will go: slab, and word in it. */
  slabs = new Int32Array(2 * GROUP_OWNERS);
  words = new Int32Array(2 * GROUP_OWNERS);
  constructor(headers, slabs, capacity) {
    this.directory = headers.directory;
    this.chunks = headers.words;
    this.arrays = slabs.slabs;
    this.capacity = capacity;
  }
  /** At most `GROUP_OWNERS` owners. */
  touch(owners, from, to) {
    this.touchHeaders(owners, from, to);
    this.touchBlocks(this.locate(owners, from, to));
  }
  touchHeaders(owners, from, to) {
    const { directory, chunks } = this;
    let sink = 0;
    for (let i = from; i < to; i++) {
      const chunk = directory[owners[i] >>> CHUNK_SHIFT] | 0;
      if (chunk !== 0) sink ^= chunks[chunk - 1][baseOf(owners[i]) + STATE] | 0;
    }
    this.sink = sink;
  }
  /** @returns how many places */
  locate(owners, from, to) {
    const { directory, chunks, slabs, words, capacity } = this;
    let count = 0;
    for (let i = from; i < to; i++) {
      const chunk = directory[owners[i] >>> CHUNK_SHIFT] | 0;
      if (chunk === 0) continue;
      const header = chunks[chunk - 1];
      const base = baseOf(owners[i]);
      const state = header[base + STATE] | 0;
      if (state === 0) continue;
      const newest = header[base + NEWEST] | 0;
      slabs[count] = newest >>> SLAB_SHIFT;
      words[count++] = slotWord(newest, state >>> END_SHIFT & SLOT_MASK) - 1;
      if ((state & COUNT_MASK) !== capacity || (state >>> START_SHIFT & SLOT_MASK) !== LAST_SLOT) continue;
      const oldest = header[base + OLDEST] | 0;
      slabs[count] = oldest >>> SLAB_SHIFT;
      words[count++] = slotWord(oldest, LAST_SLOT);
    }
    return count;
  }
  touchBlocks(count) {
    const { arrays, slabs, words } = this;
    let sink = 0;
    for (let i = 0; i < count; i++) sink ^= arrays[slabs[i]][words[i]] | 0;
    this.sink ^= sink;
  }
};

// src/ports/views/memory.ts
var KIND_END = 1 << 32 - HIGH_BITS;
var HEADER_SHARE_MAX = 1 / 2;
var HEADER_SHARE_MIN = 1 / 32;
var TIMELINES_MIN = 8;
var memoryViewsBytesMin = (capacity = LIMITS.timelineEntriesMax) => 2 * (DIRECTORY_BYTES + 2 * CHUNK_BYTES + TIMELINES_MIN * blocksMax(capacity) * BLOCK_BYTES);
function createMemoryViews(options) {
  return new MemoryViews(options.bytesMax, options.capacity ?? LIMITS.timelineEntriesMax);
}
var MemoryViews = class {
  capacity;
  bytesMax;
  headers = new Headers();
  slabs = new Slabs();
  clock = new Clock(this.headers);
  rings;
  reader;
  merger;
  prefetch;
  horizon = 0;
  /** One counter for all owners: no epoch ever comes twice, whatever was evicted between. */
  lastEpoch = 0;
  evictedTotal = 0;
  closed = false;
  constructor(bytesMax, capacity) {
    if (!(capacity >= 1 && capacity <= COUNT_MASK && Number.isInteger(capacity))) {
      throw new RivuletError("config_invalid", `the capacity of a timeline must be 1 to ${COUNT_MASK}`);
    }
    if (!(bytesMax >= memoryViewsBytesMin(capacity))) {
      throw new RivuletError(
        "config_invalid",
        `timelines need a budget of at least ${memoryViewsBytesMin(capacity)} bytes`
      );
    }
    this.bytesMax = bytesMax;
    this.capacity = capacity;
    this.rings = new Rings(this.slabs, capacity, (words, base) => this.makeRoom(words, base));
    this.reader = new Reader(this.slabs.slabs, new Pages());
    this.merger = new Merger(this.rings, capacity);
    this.prefetch = new Prefetch(this.headers, this.slabs, capacity);
  }
  async insert(spreads) {
    this.assertOpen();
    for (const spread of spreads) assertEntry(spread.id, spread.author, spread.kind);
    const counts = { inserted: 0, absent: 0 };
    for (const spread of spreads) this.spread(spread, counts);
    return counts;
  }
  spread({ id, author, kind, owners }, counts) {
    const { directory, words } = this.headers;
    const low = id | 0;
    const high = packHigh(id, kind);
    let [inserted, absent] = [0, 0];
    for (let i = 0; i < owners.length; i++) {
      if (i % GROUP_OWNERS === 0) this.prefetch.touch(owners, i, Math.min(i + GROUP_OWNERS, owners.length));
      const owner = owners[i];
      const chunk = directory[owner >>> CHUNK_SHIFT] - 1;
      const base = baseOf(owner);
      if (chunk < 0 || words[chunk][base + STATE] === 0) absent++;
      else if (this.rings.insert(words[chunk], base, low, high, author | 0)) inserted++;
    }
    counts.inserted += inserted;
    counts.absent += absent;
  }
  async advance(id) {
    this.assertOpen();
    this.horizon = Math.max(this.horizon, id);
  }
  async open(owners) {
    this.assertOpen();
    return owners.map((owner) => this.openOne(owner));
  }
  openOne(owner) {
    assert(owner >>> 0 === owner, "an owner is a u32");
    let chunk = this.headers.chunkOf(owner);
    if (chunk < 0) chunk = this.addChunk(owner);
    const index = owner & CHUNK_MASK;
    if (this.headers.words[chunk][(index << HEADER_SHIFT) + STATE] !== 0) this.clear(chunk, index);
    this.headers.open(chunk, index, ++this.lastEpoch);
    return this.lastEpoch;
  }
  async merge(owner, epoch, entries) {
    this.assertOpen();
    const chunk = this.find(owner);
    if (chunk < 0 || !this.isEpoch(chunk, owner, epoch)) return false;
    assertEntries(entries);
    this.warm(chunk, owner);
    this.merger.merge(this.headers.words[chunk], baseOf(owner), entries);
    return true;
  }
  async settle(owner, epoch, floor) {
    this.assertOpen();
    assert(floor >= 0 && Number.isSafeInteger(floor), "a floor is an id or 0");
    const chunk = this.find(owner);
    if (chunk < 0 || !this.isEpoch(chunk, owner, epoch)) return false;
    lowerFloor(this.headers.words[chunk], baseOf(owner), floor);
    return true;
  }
  async range(owner, below2, limit) {
    this.assertOpen();
    const chunk = this.find(owner);
    if (chunk < 0) return void 0;
    this.warm(chunk, owner);
    const words = this.headers.words[chunk];
    const base = baseOf(owner);
    this.rings.noteTrimmed(words, base);
    return {
      header: { epoch: epochOf(words, base), floor: floorOf(words, base), horizon: this.horizon },
      entries: this.reader.read(words, base, below2, limit)
    };
  }
  async evict(owners) {
    this.assertOpen();
    for (let i = 0; i < owners.length; i++) {
      const chunk = this.find(owners[i]);
      if (chunk >= 0) this.remove(chunk, owners[i] & CHUNK_MASK);
    }
  }
  stats() {
    return {
      timelines: this.headers.timelines,
      entries: this.rings.entries,
      bytes: this.bytes,
      bytesMax: this.bytesMax,
      evictedTotal: this.evictedTotal
    };
  }
  async close() {
    this.closed = true;
  }
  get bytes() {
    return this.headers.bytes + this.slabs.bytes + this.merger.bytes;
  }
  assertOpen() {
    if (this.closed) throw new RivuletError("shutting_down", "the timelines are closed");
  }
  /** The chunk of an owner that has a header, or -1. */
  find(owner) {
    assert(owner >>> 0 === owner, "an owner is a u32");
    const chunk = this.headers.chunkOf(owner);
    return chunk >= 0 && this.headers.words[chunk][baseOf(owner) + STATE] !== 0 ? chunk : -1;
  }
  isEpoch(chunk, owner, epoch) {
    return epochOf(this.headers.words[chunk], baseOf(owner)) === epoch;
  }
  warm(chunk, owner) {
    this.headers.clocks[chunk][owner & CHUNK_MASK] = CLOCK_WARM;
  }
  clear(chunk, index) {
    this.rings.clear(this.headers.words[chunk], index << HEADER_SHIFT);
  }
  remove(chunk, index) {
    this.clear(chunk, index);
    this.headers.remove(chunk, index);
  }
  /** Blocks for the timeline at `words`, `base`: of memory not yet used, or of the coldest other timeline. */
  makeRoom(words, base) {
    const headersReserved = Math.max(this.headers.bytes, this.headersBytesMin);
    const room = this.bytesMax - headersReserved - this.merger.bytes - this.slabs.bytes;
    if (this.slabs.grow(room)) return;
    assert(this.clock.advance(words, base), "the budget holds more than one timeline");
    this.remove(this.clock.chunk, this.clock.index);
    this.evictedTotal++;
  }
  get headersBytesMin() {
    return DIRECTORY_BYTES + Math.max(2 * CHUNK_BYTES, Math.floor(this.bytesMax * HEADER_SHARE_MIN));
  }
  /** Where the budget has no room for another, the emptiest chunk gives up its timelines: as many as move in, at most. */
  addChunk(owner) {
    const fits = this.bytes + CHUNK_BYTES <= this.bytesMax && this.headers.bytes + CHUNK_BYTES <= DIRECTORY_BYTES + this.bytesMax * HEADER_SHARE_MAX;
    if (fits || this.headers.words.length === 0) return this.headers.addChunk(owner);
    const chunk = this.headers.emptiestChunk();
    this.evictChunk(chunk);
    this.headers.moveChunk(chunk, owner);
    return chunk;
  }
  evictChunk(chunk) {
    for (let index = 0; index < CHUNK_ACCOUNTS; index++) {
      if (this.headers.words[chunk][(index << HEADER_SHIFT) + STATE] === 0) continue;
      this.remove(chunk, index);
      this.evictedTotal++;
    }
  }
};
function assertEntry(id, author, kind) {
  assert(id > 0 && id <= ID_MAX && Number.isSafeInteger(id), "an entry has a 53-bit id");
  assert(author >>> 0 === author, "an author is a u32");
  assert(kind >>> 0 === kind && kind < KIND_END, "a kind has 11 bits");
}
function assertEntries(entries) {
  let newer = ID_MAX;
  for (let row = 0; row < entries.length; row++) {
    assertEntry(entries.ids[row], entries.authors[row], entries.kinds[row]);
    assert(entries.ids[row] <= newer, "entries come newest first");
    newer = entries.ids[row];
  }
}

// ../../tmp/cpu.mts
var cpu = (c2) => {
  const d = process.cpuUsage(c2);
  return (d.user + d.system) / 1e6;
};
async function open(n) {
  const v2 = createMemoryViews({ bytesMax: 20 * 2 ** 30 });
  for (let f = 0; f < n; f += 1e4) await v2.open(Array.from({ length: Math.min(1e4, n - f) }, (_, i) => f + i));
  return v2;
}
var redis = await startRedis();
var serverCpu = async () => {
  const t = await redis.client.info("cpu");
  return Number(/used_cpu_user:(\S+)/.exec(t)[1]) + Number(/used_cpu_sys:(\S+)/.exec(t)[1]);
};
for (const [g2, rounds] of [[loadMusae(), 50], [generatePowerLaw(1e6, 5e7, 1), 1]]) {
  const orders = Array.from({ length: rounds }, (_, r) => postingOrder(g2, r));
  for (let r = 0; r < 3; r++) {
    const v2 = await open(g2.accounts);
    let worst2 = 0;
    const c3 = process.cpuUsage(), t2 = performance.now();
    for (const b of batches(g2, orders)) {
      const t1 = performance.now();
      await v2.insert(b);
      worst2 = Math.max(worst2, performance.now() - t1);
    }
    const n = g2.edges * rounds;
    console.log(g2.name, "ours cpu", (n / cpu(c3) / 1e6).toFixed(2), "M/s wall", (n / (performance.now() - t2) / 1e3).toFixed(2), "worst", worst2.toFixed(1), (v2.stats().bytes / v2.stats().entries).toFixed(2));
  }
  const S = 2e6;
  await redis.client.flushAll();
  const p = await RawPipeline.open(redis.socketPath), counts = new Uint8Array(g2.accounts);
  const c2 = process.cpuUsage(), s0 = await serverCpu(), t = performance.now();
  for (const b of batches(g2, orders, S)) for (const { id, owners } of b) {
    const tail = zaddTail(id);
    for (const o of owners) {
      const full = p.command(zaddTo(`t:${o}`, tail));
      if (++counts[o] % 64 === 0) p.command(trimTo(`t:${o}`, 800));
      if (full) await p.drain();
    }
  }
  await p.drain(0);
  console.log(g2.name, "redis server cpu", (S / (await serverCpu() - s0) / 1e3).toFixed(0), "k/s; client cpu", (S / cpu(c2) / 1e3).toFixed(0), "k/s; wall", (S / (performance.now() - t)).toFixed(0), "k/s");
  p.close();
}
{
  const n = 1e4;
  await redis.client.flushAll();
  const p = await RawPipeline.open(redis.socketPath);
  for (let o = 0; o < n; o++) for (let i = 0; i < 800; i++) if (p.command(zaddTo(`t:${o}`, zaddTail(2 ** 50 + i * 128)))) await p.drain();
  await p.drain(0);
  const g2 = generatePowerLaw(n, 1e6, 2), counts = new Uint8Array(n);
  const s0 = await serverCpu(), t = performance.now();
  for (const b of batches(g2, [postingOrder(g2, 0)])) for (const { id, owners } of b) {
    const tail = zaddTail(id);
    for (const o of owners) {
      const full = p.command(zaddTo(`t:${o}`, tail));
      if (++counts[o] % 64 === 0) p.command(trimTo(`t:${o}`, 800));
      if (full) await p.drain();
    }
  }
  await p.drain(0);
  console.log("redis 10k full: server cpu", (g2.edges / (await serverCpu() - s0) / 1e3).toFixed(0), "k/s wall", (g2.edges / (performance.now() - t)).toFixed(0));
  p.close();
}
await redis.stop();
var v = await open(1e6);
var e = { length: 800, ids: Float64Array.from({ length: 800 }, (_, i) => 2 ** 50 - i * 128), authors: new Uint32Array(800), kinds: new Uint16Array(800) };
var c = process.cpuUsage();
for (let o = 0; o < 1e6; o++) {
  const [ep] = await v.open([o]);
  await v.merge(o, ep, e);
}
console.log("merge of 800:", cpu(c).toFixed(1), "\xB5s cpu each;", v.stats());
var g = generatePowerLaw(1e6, 2e7, 2);
c = process.cpuUsage();
var worst = 0;
for (const b of batches(g, [postingOrder(g, 0)])) {
  const t1 = performance.now();
  await v.insert(b);
  worst = Math.max(worst, performance.now() - t1);
}
console.log("1M full: cpu", (g.edges / cpu(c) / 1e6).toFixed(2), "M/s worst", worst.toFixed(1));
for (const k of [40, 400, 800]) {
  c = process.cpuUsage();
  for (let i = 0; i < 5e4; i++) await v.range(i * 7919 % 1e6, Infinity, k);
  console.log("range", k, (cpu(c) / 5e4 * 1e6).toFixed(2), "\xB5s cpu random account");
  c = process.cpuUsage();
  for (let i = 0; i < 5e4; i++) await v.range(i % 100, Infinity, k);
  console.log("range", k, (cpu(c) / 5e4 * 1e6).toFixed(2), "\xB5s cpu warm");
}
c = process.cpuUsage();
await v.evict(Uint32Array.from({ length: 1e5 }, (_, i) => i));
console.log("evict 80M entries", (80 / cpu(c)).toFixed(1), "M entries/s cpu");
