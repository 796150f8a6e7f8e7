/**
 * A learning bridge of the simulation: passes frames on as they are, to where their destination was last heard, or
 * everywhere else. Addresses are forgotten after the ageing time (IEEE 802.1D section 7.9). No spanning tree: worlds have no
 * circles of bridges.
 */

import type { Agent } from '../../../src/host/contract.ts';
import { DEVICE_PROMISCUOUS, type DeviceQueue, FrameBatch, type TimedDevice } from '../../../src/link/device.ts';
import type { Arena } from '../../../src/mem/arena.ts';
import type { Bulk } from '../../../src/mem/bulk.ts';
import * as ethernet from '../../../src/wire/ethernet.ts';

const AGEING_US = 300_000_000;

/** A device of one queue. */
type BridgePort = TimedDevice & DeviceQueue;

interface Learned {
  port: BridgePort;
  atUs: number;
}

export class Bridge implements Agent {
  readonly ports: readonly BridgePort[];
  readonly #arena: Arena;
  readonly #bulk: Bulk;
  readonly #learned: Map<number, Learned> = new Map();
  readonly #batch: FrameBatch = new FrameBatch();
  closed = false;

  constructor(arena: Arena, bulk: Bulk, ports: readonly BridgePort[]) {
    this.#arena = arena;
    this.#bulk = bulk;
    this.ports = ports;
    for (const port of ports) port.setFilter(DEVICE_PROMISCUOUS);
  }

  doWork(nowUs: number): number {
    let work = 0;
    for (const port of this.ports) {
      const count = port.receive(this.#batch);
      for (let i = 0; i < count; i++) this.#pass(port, i, nowUs);
      if (count > 0) port.release();
      work += count;
    }
    for (const port of this.ports) work += port.tick(nowUs);
    this.flush();
    return work;
  }

  #pass(from: BridgePort, index: number, nowUs: number): void {
    const { view } = this.#arena;
    const at = this.#batch.at[index] as number;
    const lengthBytes = this.#batch.length[index] as number;
    this.#learned.set(keyOf(ethernet.srcHi(view, at), ethernet.srcLo(view, at)), { port: from, atUs: nowUs });
    const hi = ethernet.dstHi(view, at);
    const lo = ethernet.dstLo(view, at);
    const known = (hi & ethernet.GROUP_BIT) !== 0 ? undefined : this.#learned.get(keyOf(hi, lo));
    const fresh = known !== undefined && nowUs - known.atUs < AGEING_US;
    for (const to of this.ports) {
      if (to === from || (fresh && to !== known.port)) continue;
      const room = to.reserve(hi, lo, lengthBytes);
      // A bridge drops what it has no room for.
      if (room < 0) continue;
      this.#bulk.copy(room, at, lengthBytes);
      to.commit(lengthBytes, this.#batch.meta[index] as number);
    }
  }

  flush(): void {
    for (const port of this.ports) port.flush();
  }

  nextDeadlineUs(): number {
    return Math.min(...this.ports.map((port) => port.nextDeadlineUs()));
  }

  workPending(): boolean {
    return this.ports.some((port) => port.pending);
  }

  close(): void {
    for (const port of this.ports) port.close();
  }
}

function keyOf(hi: number, lo: number): number {
  return hi * 0x1_0000_0000 + (lo >>> 0);
}
