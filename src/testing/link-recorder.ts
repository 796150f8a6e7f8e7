/**
 * Records the frames of every interface of a lab while a test runs, so that those before a failure can be kept.
 *
 * Thread: the test runner's. Machines that are switched off and on are recorded again from their new beginning.
 */

import type { CaptureEvent, Lab, NodeStatus, Phase, StreamIterable } from '../index.ts';
import { FrameRing } from './frame-ring.ts';

/** Bytes kept of each frame: every packet of usual size whole, and of larger ones the beginning. */
const SNAP_BYTES = 2048;
/** Kernels hand captured frames on within this time. */
const BATCH_MS = 20;

/** One interface of a node. */
interface RecordedLink {
  node: string;
  interface: string;
  ring: FrameRing;
  /** Open capture; null: the machine is down. */
  stream: StreamIterable<CaptureEvent> | null;
  /** Boots of the machine that were seen. */
  boots: number;
  /** Boot whose frames were recorded last. */
  recorded: number;
}

export class LinkRecorder {
  readonly #lab: Lab;
  readonly #links: RecordedLink[] = [];
  readonly #states: StreamIterable<NodeStatus>;
  #stopped = false;

  /** Begins at once. `bytesMax`: kept per interface. */
  constructor(lab: Lab, bytesMax: number) {
    this.#lab = lab;
    this.#states = lab.states();
    void this.#follow(bytesMax);
  }

  /** Interfaces in the order of the lab file. */
  get links(): readonly { node: string; interface: string; ring: FrameRing }[] {
    return this.#links;
  }

  /** Frames of this moment are there when it resolves. */
  async settle(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, BATCH_MS));
  }

  stop(): void {
    this.#stopped = true;
    this.#states.close();
    for (const { stream } of this.#links) stream?.close();
  }

  async #follow(bytesMax: number): Promise<void> {
    try {
      for await (const status of this.#states) {
        if (this.#links.every(({ node }) => node !== status.name)) this.#addLinks(status, bytesMax);
        for (const link of this.#links) {
          if (link.node === status.name) this.#see(link, status.phase);
        }
      }
    } catch {
      // The lab went down.
    }
  }

  #addLinks({ name, addresses }: NodeStatus, bytesMax: number): void {
    for (const iface of new Set(addresses.map((entry) => entry.interface))) {
      const ring = new FrameRing(bytesMax);
      this.#links.push({ node: name, interface: iface, ring, stream: null, boots: 1, recorded: 0 });
    }
  }

  #see(link: RecordedLink, phase: Phase): void {
    if (phase === 'booting') link.boots++;
    // A machine goes on when a program that is a process has ended.
    const up = phase !== 'booting' && phase !== 'stopped';
    if (up && link.stream === null && link.recorded !== link.boots) void this.#record(link);
  }

  async #record(link: RecordedLink): Promise<void> {
    if (this.#stopped) return;
    const { boots, ring } = link;
    link.recorded = boots;
    link.stream = this.#lab.node(link.node).capture({ interfaces: [link.interface], snapBytes: SNAP_BYTES });
    try {
      for await (const event of link.stream) {
        if (event.type === 'frames') ring.add(event);
        else [ring.mac, ring.snapBytes] = [event.mac, event.snapBytes];
      }
    } catch {
      // The machine went down.
    }
    link.stream = null;
    // It may be up again before the end of the capture was heard.
    if (link.boots !== boots) await this.#recordIfUp(link);
  }

  async #recordIfUp(link: RecordedLink): Promise<void> {
    const status = await this.#lab
      .node(link.node)
      .status()
      .catch(() => null);
    if (status !== null) this.#see(link, status.phase);
  }
}
