/**
 * Hash table from the four numbers of a segment to the number of their holder.
 *
 * Thread: the one that runs the CPU. Open addressing with linear probing over typed arrays; deleting moves later
 * entries back, so there are no tombstones. The value is a number whose meaning is the caller's (tables.ts packs a kind
 * and an index). The seed keeps peers from choosing colliding ports.
 */

const MIN_SLOTS = 64;

/** Local and peer port in one int32. */
export function packPorts(localPort: number, peerPort: number): number {
  return (localPort << 16) | peerPort;
}

export class Demux {
  #local: Int32Array = new Int32Array(MIN_SLOTS);
  #peer: Int32Array = new Int32Array(MIN_SLOTS);
  #ports: Int32Array = new Int32Array(MIN_SLOTS);
  /** -1 marks a free slot. */
  #values: Int32Array = new Int32Array(MIN_SLOTS).fill(-1);
  #mask: number = MIN_SLOTS - 1;
  readonly #seed: number;
  size: number = 0;

  constructor(seed: number) {
    this.#seed = seed | 0;
  }

  /** The value stored for a connection, -1 when there is none. */
  find(local: number, peer: number, ports: number): number {
    const mask = this.#mask;
    for (let i = this.#hash(local, peer, ports) & mask; ; i = (i + 1) & mask) {
      const value = this.#values[i] as number;
      if (value === -1) return -1;
      if (this.#ports[i] === ports && this.#peer[i] === peer && this.#local[i] === local) return value;
    }
  }

  /** Store a value >= 0, replacing what was there. */
  set(local: number, peer: number, ports: number, value: number): void {
    if ((this.size + 1) * 2 > this.#mask + 1) this.#grow();
    const mask = this.#mask;
    let i = this.#hash(local, peer, ports) & mask;
    while (this.#values[i] !== -1) {
      if (this.#ports[i] === ports && this.#peer[i] === peer && this.#local[i] === local) {
        this.#values[i] = value;
        return;
      }
      i = (i + 1) & mask;
    }
    this.#local[i] = local;
    this.#peer[i] = peer;
    this.#ports[i] = ports;
    this.#values[i] = value;
    this.size++;
  }

  delete(local: number, peer: number, ports: number): void {
    const mask = this.#mask;
    let i = this.#hash(local, peer, ports) & mask;
    for (;;) {
      if (this.#values[i] === -1) return;
      if (this.#ports[i] === ports && this.#peer[i] === peer && this.#local[i] === local) break;
      i = (i + 1) & mask;
    }
    this.size--;
    // Close the gap: an entry whose home is not between the gap and itself may move into it.
    for (let j = (i + 1) & mask; this.#values[j] !== -1; j = (j + 1) & mask) {
      const home = this.#hash(this.#local[j] as number, this.#peer[j] as number, this.#ports[j] as number) & mask;
      if (((j - home) & mask) >= ((j - i) & mask)) {
        this.#move(j, i);
        i = j;
      }
    }
    this.#values[i] = -1;
  }

  #move(from: number, to: number): void {
    this.#local[to] = this.#local[from] as number;
    this.#peer[to] = this.#peer[from] as number;
    this.#ports[to] = this.#ports[from] as number;
    this.#values[to] = this.#values[from] as number;
  }

  // cold: the table doubles.
  #grow(): void {
    const slots = (this.#mask + 1) * 2;
    const local = this.#local;
    const peer = this.#peer;
    const ports = this.#ports;
    const values = this.#values;
    this.#local = new Int32Array(slots);
    this.#peer = new Int32Array(slots);
    this.#ports = new Int32Array(slots);
    this.#values = new Int32Array(slots).fill(-1);
    this.#mask = slots - 1;
    this.size = 0;
    for (let i = 0; i < values.length; i++) {
      if (values[i] === -1) continue;
      this.set(local[i] as number, peer[i] as number, ports[i] as number, values[i] as number);
    }
  }

  /** Multiply and mix (the finalizer of MurmurHash3) over the four numbers. */
  #hash(local: number, peer: number, ports: number): number {
    let h = Math.imul(this.#seed ^ ports, 0x9e3779b1) ^ peer;
    h = Math.imul(h ^ (h >>> 15), 0x85ebca6b) ^ local;
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    return h ^ (h >>> 16);
  }
}
