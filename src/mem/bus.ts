/**
 * The bus: frames that each participant hears from all others, in a file that every one of them maps.
 *
 * Thread: any, of any process; each lane has one writer, who holds it by a lock of the host that ends with him. Several writers
 * therefore need no lock among themselves, and a writer that dies at any instant leaves nothing half done: records count once
 * {@link BusWriter.publish} has moved the head of his lane, and the next holder of the lane goes on from that head. Writers never wait for
 * readers: a reader copies a record, and then asks whether the writer had come round to it meanwhile. Everything in the file is
 * everybody's to write: readers check each word once they have it in private. Layout: docs/layouts/bus.md.
 */

import { MultikernelError } from '../base/errors.ts';
import { AWAKE, BLOCKED, SLEEPING } from './bell.ts';
import { checkSeal, magicOf, seal } from './layout.ts';
import { Region, viewsOf } from './region.ts';

export const BUS_MAGIC: number = magicOf('MKBS');
const VERSION = 1;

/** Participants at a time. */
export const BUS_LANES = 64;
const LANE_BYTES: number = 512 * 1024;
/** No record crosses a multiple of this in its lane: a reader that was left behind begins at one. */
const CHUNK_BYTES: number = 64 * 1024;
/** Positions count these; a record begins at a multiple. */
const GRAIN_SHIFT = 4;
const GRAIN_MASK = 15;
const LANE_GRAINS: number = LANE_BYTES >> GRAIN_SHIFT;
const CHUNK_GRAINS: number = CHUNK_BYTES >> GRAIN_SHIFT;

const LANES_OFFSET = 65_536;
const HEADS_OFFSET = 4096;
const HEAD_BYTES = 256;
export const BUS_BYTES: number = LANES_OFFSET + BUS_LANES * LANE_BYTES;

/** Words of the header. */
const WORD_LANES = 2;
const WORD_LANE_BYTES = 3;
const WORD_ID = 4;
/** Lanes below this have had a holder. */
const WORD_USED = 32;

/** Words of a lane's head; those from LANE_HEAD on change with each batch and have a line of their own. */
const LANE_LIFE = 0;
const LANE_BELL = 4;
const LANE_HEAD = 32;
const LANE_CLAIMED = 33;
const LANE_SEQUENCE = 34;

/** States in the low byte of the life word; above them the number of the holder, one more each time. */
const UP = 0x55;
const FREE = 0;
const STATE_MASK = 0xff;

/** Record: length of the frame (0: the chunk ends here), number, time in microseconds since 1970 as float, 2 bytes, frame. */
const FRAME_OFFSET = 18;
const BUS_FRAME_BYTES_MIN = 14;
export const BUS_FRAME_BYTES_MAX: number = CHUNK_BYTES - FRAME_OFFSET;

function recordGrains(lengthBytes: number): number {
  return (FRAME_OFFSET + lengthBytes + GRAIN_MASK) >> GRAIN_SHIFT;
}

/**
 * Make a bus of zeroed memory, or find the one that is there: '' or why it is none. One thread at a time, says the caller. A bus whose
 * maker died on the way is made again.
 */
// cold: once per bus
export function prepareBus(region: Pick<Region, 'words' | 'base'>, id0: number, id1: number): string {
  const { words, base } = region;
  const word = base >> 2;
  // The magic number is written last, after the version.
  if (words[word] !== 0 || (words[word + 1] !== 0 && words[word + 1] !== VERSION)) {
    const why = checkSeal(words, base, BUS_MAGIC, VERSION);
    if (why !== '') return why;
    return words[word + WORD_LANES] === BUS_LANES && words[word + WORD_LANE_BYTES] === LANE_BYTES ? '' : 'other sizes';
  }
  words[word + WORD_LANES] = BUS_LANES;
  words[word + WORD_LANE_BYTES] = LANE_BYTES;
  words[word + WORD_ID] = id0;
  words[word + WORD_ID + 1] = id1;
  seal(words, base, BUS_MAGIC, VERSION);
  return '';
}

function headWord(region: Region, lane: number): number {
  return (region.base + HEADS_OFFSET + lane * HEAD_BYTES) >> 2;
}

function laneAt(region: Region, lane: number): number {
  return region.base + LANES_OFFSET + lane * LANE_BYTES;
}

/** The heads of all lanes, as each participant sees them. */
export class BusMembers {
  readonly #words: Int32Array;
  readonly #region: Region;
  readonly #usedIndex: number;

  constructor(region: Region) {
    this.#words = region.words;
    this.#region = region;
    this.#usedIndex = (region.base >> 2) + WORD_USED;
  }

  /** Lanes that have had a holder lie below this. */
  get used(): number {
    const used = this.#words[this.#usedIndex] as number;
    return used >= 0 && used <= BUS_LANES ? used : BUS_LANES;
  }

  /** Number of a lane's holder, -1 when it has none. */
  holder(lane: number): number {
    const life = Atomics.load(this.#words, headWord(this.#region, lane) + LANE_LIFE);
    return (life & STATE_MASK) === UP ? life >>> 8 : -1;
  }

  /** Whether the holder of a lane sleeps, and wants to be woken: {@link SLEEPING} by its name, {@link BLOCKED} by its bell, or {@link AWAKE}. */
  sleep(lane: number): number {
    return Atomics.load(this.#words, headWord(this.#region, lane) + LANE_BELL);
  }

  /** Place of a lane's bell. */
  bellAt(lane: number): number {
    return (headWord(this.#region, lane) + LANE_BELL) << 2;
  }

  /** Name under which the holder of a lane can be woken: no two incarnations, on no two buses, have one name. */
  // cold: once per sleep
  bellName(lane: number, holder: number): string {
    const word = (this.#region.base >> 2) + WORD_ID;
    const id = [word, word + 1].map((index) => ((this.#words[index] as number) >>> 0).toString(16).padStart(8, '0'));
    return `multikernel-bus-${id.join('')}-${lane}-${holder}`;
  }
}

/** The lane of a participant. */
export class BusWriter {
  readonly lane: number;
  /** Our number among the holders of the lane. */
  readonly holder: number;
  readonly #words: Int32Array;
  readonly #floats: Float64Array;
  readonly #word: number;
  readonly #laneAt: number;
  /** Position and number of the next record, and the end of what we have said that we write. */
  #at: number;
  #sequence: number;
  #claimed: number;
  #published: number;

  /** The caller holds the lane, and holds it until after {@link leave}. */
  constructor(region: Region, lane: number) {
    const { words } = region;
    this.lane = lane;
    this.#words = words;
    this.#floats = region.floats;
    this.#word = headWord(region, lane);
    this.#laneAt = laneAt(region, lane);
    this.#at = Atomics.load(words, this.#word + LANE_HEAD);
    this.#published = this.#at;
    this.#sequence = words[this.#word + LANE_SEQUENCE] as number;
    // The holder before may have written as far as he said.
    const said = Atomics.load(words, this.#word + LANE_CLAIMED);
    this.#claimed = (said - this.#at) >>> 0 <= LANE_GRAINS ? said : this.#at;
    this.holder = ((Atomics.load(words, this.#word + LANE_LIFE) >>> 8) + 1) & 0x7fffff;
  }

  /** Be heard and woken from now on. */
  // cold: once per participant
  join(region: Region): void {
    const words = this.#words;
    Atomics.store(words, this.#word + LANE_BELL, AWAKE);
    Atomics.store(words, this.#word + LANE_LIFE, (this.holder << 8) | UP);
    const index = (region.base >> 2) + WORD_USED;
    for (;;) {
      const used = Atomics.load(words, index);
      if (used > this.lane && used <= BUS_LANES) return;
      if (Atomics.compareExchange(words, index, used, this.lane + 1) === used) return;
    }
  }

  // cold: once per participant
  leave(): void {
    Atomics.store(this.#words, this.#word + LANE_BELL, AWAKE);
    Atomics.store(this.#words, this.#word + LANE_LIFE, (this.holder << 8) | FREE);
  }

  /** About to sleep, in a futex or in an event loop: look at all lanes after this. */
  arm(blocks: boolean): void {
    Atomics.store(this.#words, this.#word + LANE_BELL, blocks ? BLOCKED : SLEEPING);
  }

  disarm(): void {
    Atomics.store(this.#words, this.#word + LANE_BELL, AWAKE);
  }

  /** Place for a frame of that length, which the caller checked against the bounds; `% 16 === 2`. */
  reserve(lengthBytes: number): number {
    const grains = recordGrains(lengthBytes);
    const left = CHUNK_GRAINS - (this.#at & (CHUNK_GRAINS - 1));
    if (grains > left) this.#nextChunk(left);
    if (((this.#at + grains - this.#claimed) | 0) > 0) this.#claim();
    return this.#place() + FRAME_OFFSET;
  }

  /** The frame that was reserved is complete. */
  commit(lengthBytes: number, timeUs: number): void {
    const at = this.#place();
    this.#words[at >> 2] = lengthBytes;
    this.#words[(at >> 2) + 1] = this.#sequence;
    this.#floats[(at + 8) >> 3] = timeUs;
    this.#sequence = (this.#sequence + 1) | 0;
    this.#at = (this.#at + recordGrains(lengthBytes)) | 0;
  }

  /** Everything committed counts from now on. Returns whether there was anything. */
  publish(): boolean {
    if (this.#at === this.#published) return false;
    this.#words[this.#word + LANE_SEQUENCE] = this.#sequence;
    Atomics.store(this.#words, this.#word + LANE_HEAD, this.#at);
    this.#published = this.#at;
    return true;
  }

  #place(): number {
    return this.#laneAt + ((this.#at & (LANE_GRAINS - 1)) << GRAIN_SHIFT);
  }

  /** The rest of a chunk stays empty. Complete records are published: a long batch must not come round to it. */
  #nextChunk(left: number): void {
    if (((this.#at + 1 - this.#claimed) | 0) > 0) this.#claim();
    const at = this.#place();
    this.#words[at >> 2] = 0;
    this.#words[(at >> 2) + 1] = this.#sequence;
    this.#at = (this.#at + left) | 0;
    this.publish();
  }

  /** Say that we write up to the end of this chunk, before the first byte of it. An exchange, so that no later store passes it. */
  #claim(): void {
    this.#claimed = ((this.#at & -CHUNK_GRAINS) + CHUNK_GRAINS) | 0;
    Atomics.exchange(this.#words, this.#word + LANE_CLAIMED, this.#claimed);
  }
}

/** One participant's reading of another lane. */
export class BusReader {
  readonly lane: number;
  /** Length and time of the record that {@link next} found. */
  lengthBytes = 0;
  timeUs = 0;
  /** Records that we know went by unread, and times that the lane made no sense; the owner takes them. */
  lost = 0;
  corrupt = 0;
  readonly #words: Int32Array;
  readonly #floats: Float64Array;
  readonly #word: number;
  readonly #laneAt: number;
  #at = 0;
  #sequence = 0;
  /** The number of the next record is not known. */
  #adrift = true;
  /** Head of the lane when this batch began, and the state that `end` goes back to. */
  #head = 0;
  #batchAt = 0;
  #batchSequence = 0;
  #batchAdrift = true;
  #batchLost = 0;

  /** Begins with what is published from now on, or with the oldest that is there. */
  constructor(region: Region, lane: number, oldest: boolean = false) {
    this.lane = lane;
    this.#words = region.words;
    this.#floats = region.floats;
    this.#word = headWord(region, lane);
    this.#laneAt = laneAt(region, lane);
    this.#at = Atomics.load(this.#words, this.#word + LANE_HEAD);
    if (oldest) this.#at = this.#behind(LANE_GRAINS - CHUNK_GRAINS);
  }

  /** A chunk's begin at most that far behind the head; 0 for lanes that have not gone round. */
  #behind(grains: number): number {
    const from = (this.#at - grains) | 0;
    return this.#at >= 0 && from < 0 ? 0 : (from + CHUNK_GRAINS - 1) & -CHUNK_GRAINS;
  }

  /** Whether there is something; looks at shared memory afresh. */
  get pending(): boolean {
    return Atomics.load(this.#words, this.#word + LANE_HEAD) !== this.#at;
  }

  /** Begin a batch. False when there is nothing. */
  begin(): boolean {
    if (this.#words[this.#word + LANE_HEAD] === this.#at) return false;
    this.#head = Atomics.load(this.#words, this.#word + LANE_HEAD);
    if ((this.#head - this.#at) >>> 0 > LANE_GRAINS) this.#overtaken();
    this.#batchAt = this.#at;
    this.#batchSequence = this.#sequence;
    this.#batchAdrift = this.#adrift;
    this.#batchLost = this.lost;
    return true;
  }

  /**
   * The next record: where its frame lies in the lane, for a copy and nothing else; `lengthBytes` and `timeUs` are checked and ours.
   * -1 when there is none. {@link end} says whether the copies hold.
   */
  next(): number {
    for (;;) {
      const left = (this.#head - this.#at) | 0;
      if (left === 0) return -1;
      const at = this.#laneAt + ((this.#at & (LANE_GRAINS - 1)) << GRAIN_SHIFT);
      const lengthBytes = this.#words[at >> 2] as number;
      const sequence = this.#words[(at >> 2) + 1] as number;
      const room = CHUNK_GRAINS - (this.#at & (CHUNK_GRAINS - 1));
      const grains = lengthBytes === 0 ? room : recordGrains(lengthBytes);
      const skipped = this.#adrift ? 0 : (sequence - this.#sequence) | 0;
      const fits = lengthBytes === 0 || (lengthBytes >= BUS_FRAME_BYTES_MIN && lengthBytes <= BUS_FRAME_BYTES_MAX);
      if (!fits || grains > room || grains > left || skipped < 0) return this.#nonsense();
      this.lost += skipped;
      this.#adrift = false;
      this.#at = (this.#at + grains) | 0;
      this.#sequence = sequence;
      if (lengthBytes === 0) continue;
      this.#sequence = (sequence + 1) | 0;
      this.lengthBytes = lengthBytes;
      this.timeUs = this.#floats[(at + 8) >> 3] as number;
      return at + FRAME_OFFSET;
    }
  }

  /** Whether what was copied since `begin` is what was written: if not, the batch is void and counted as lost. */
  end(): boolean {
    const claimed = Atomics.load(this.#words, this.#word + LANE_CLAIMED);
    if ((claimed - this.#batchAt) >>> 0 <= LANE_GRAINS) return true;
    this.#sequence = this.#batchSequence;
    this.#adrift = this.#batchAdrift;
    this.lost = this.#batchLost;
    this.#overtaken();
    return false;
  }

  /** The writer came round: go on in the middle of what he has written. The numbers tell how many records went by. */
  #overtaken(): void {
    this.#head = Atomics.load(this.#words, this.#word + LANE_HEAD);
    this.#at = this.#head;
    this.#at = this.#behind(LANE_GRAINS >> 1);
  }

  /** The lane holds what no writer writes: nothing of it is believed up to the head. */
  #nonsense(): number {
    this.corrupt++;
    this.#adrift = true;
    this.#at = this.#head;
    return -1;
  }
}

/** A frame of {@link framesOfBus}. */
export interface BusFrame {
  readonly lane: number;
  readonly timeUs: number;
  readonly bytes: Uint8Array;
}

/** A lane as its head shows it. */
export interface BusLane {
  readonly lane: number;
  readonly holder: number;
  readonly head: number;
  readonly frames: number;
}

/** Attempts to read a lane whose writer comes round to the reader. */
const DUMP_TRIES = 4;

/**
 * The lanes in use and all frames that a bus still holds, by time, without taking part: `read` fills an array from an offset of the file.
 * Throws EPROTO with the reason when it is no bus.
 */
// cold: for tools
export function framesOfBus(read: (into: Uint8Array, offset: number) => void): {
  lanes: BusLane[];
  frames: BusFrame[];
} {
  const region = new Region(viewsOf(new SharedArrayBuffer(BUS_BYTES)), 0, BUS_BYTES);
  const { bytes, words } = region;
  const part = (offset: number, byteLength: number): void => {
    // Files are read into memory of one thread alone.
    const into = new Uint8Array(byteLength);
    read(into, offset);
    bytes.set(into, offset);
  };
  part(0, LANES_OFFSET);
  const why = checkSeal(words, 0, BUS_MAGIC, VERSION);
  if (why !== '') throw new MultikernelError('EPROTO', why);
  const members = new BusMembers(region);
  const lanes: BusLane[] = [];
  const frames: BusFrame[] = [];
  for (let lane = 0; lane < members.used; lane++) {
    const word = headWord(region, lane);
    part(laneAt(region, lane), LANE_BYTES);
    const claimedOffset = (word + LANE_CLAIMED) << 2;
    part(claimedOffset, 4);
    const numbers = { head: words[word + LANE_HEAD] as number, frames: words[word + LANE_SEQUENCE] as number };
    lanes.push({ lane, holder: members.holder(lane), ...numbers });
    const reader = new BusReader(region, lane, true);
    for (let tries = 0; tries < DUMP_TRIES && reader.begin(); tries++) {
      const found: BusFrame[] = [];
      for (let at = reader.next(); at >= 0; at = reader.next()) {
        const { lengthBytes, timeUs } = reader;
        found.push({ lane, timeUs, bytes: new Uint8Array(bytes.subarray(at, at + lengthBytes)) });
      }
      if (!reader.end()) continue;
      frames.push(...found);
      break;
    }
  }
  return { lanes, frames: frames.sort((a, b) => a.timeUs - b.timeUs) };
}
