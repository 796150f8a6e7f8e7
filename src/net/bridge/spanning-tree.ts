/**
 * The spanning tree protocol of one bridge: which ports forward, so that bridges in a circle form a tree.
 *
 * Thread: the one that runs the kernel; time is that of its callouts. A bridge hears configuration messages, keeps the best of each
 * port, elects root, root port and designated ports, and lets a port forward after two forward delays. Functions follow the procedures
 * of 8.6 and their names. Frames are sent and read by the bridge (bridge.ts).
 * Read first: IEEE 802.1D-1998 clause 8, wire/bpdu.ts. Missing: rapid spanning tree (802.1w).
 */

import { US_PER_S } from '../../base/units.ts';
import { Callout, type CalloutTable } from '../../kern/callout.ts';
import * as bpdu from '../../wire/bpdu.ts';
import {
  type BridgeId,
  compareIds,
  type PortTimers,
  STATE_BLOCKING,
  STATE_DISABLED,
  STATE_FORWARDING,
  STATE_LEARNING,
  STATE_LISTENING,
  type TreePort,
} from './spanning-tree-port.ts';

const BRIDGE_PRIORITY_DEFAULT = 0x8000;
const MAX_AGE_SEC_DEFAULT = 20;
const HELLO_SEC_DEFAULT = 2;
const FORWARD_DELAY_SEC_DEFAULT = 15;
const TICKS_PER_S = 256;
/** At most one configuration message per port in this time (8.10.2). */
const HOLD_US: number = US_PER_S;
/** Added to the age of a message by each bridge. */
const MESSAGE_AGE_INCREMENT: number = TICKS_PER_S;

/** The bridge as its spanning tree sees it. */
export interface TreeBridge {
  /** Room for a frame with a unit of `unitBytes` out of that port, its headers written; where the unit begins, or negative. */
  beginUnit(port: TreePort, unitBytes: number): number;
  commitUnit(port: TreePort): void;
  /** A port no longer forwards: addresses learned behind it go. */
  stopped(port: TreePort): void;
  /** The tree changes, or has settled: learned addresses age faster meanwhile (8.3.5). `Infinity`: no more. */
  ageWithin(timeUs: number): void;
}

export class SpanningTree implements PortTimers {
  /** In the order of their numbers. */
  readonly ports: TreePort[] = [];
  priority: number = BRIDGE_PRIORITY_DEFAULT;
  maxAgeSec: number = MAX_AGE_SEC_DEFAULT;
  helloSec: number = HELLO_SEC_DEFAULT;
  forwardDelaySec: number = FORWARD_DELAY_SEC_DEFAULT;
  rootCost = 0;
  rootPort: TreePort | null = null;
  topologyChange = false;
  readonly root: BridgeId = { hi: 0, lo: 0 };
  readonly #bridge: TreeBridge;
  readonly #view: DataView;
  readonly #callouts: CalloutTable;
  readonly #nowUs: () => number;
  readonly #macHi: number;
  readonly #macLo: number;
  /** Values in force, those of the root (8.5.3.4 to 8.5.3.6); 1/256 s. */
  #maxAge = 0;
  #hello = 0;
  #forwardDelay = 0;
  #changeDetected = false;
  readonly #helloTimer: Callout = new Callout(() => this.#helloExpired());
  readonly #notifyTimer: Callout = new Callout(() => this.#notifyExpired());
  readonly #changeTimer: Callout = new Callout(() => this.#changeExpired());

  constructor(
    bridge: TreeBridge,
    view: DataView,
    callouts: CalloutTable,
    nowUs: () => number,
    mac: { hi: number; lo: number },
  ) {
    this.#bridge = bridge;
    this.#view = view;
    this.#callouts = callouts;
    this.#nowUs = nowUs;
    this.#macHi = mac.hi;
    this.#macLo = mac.lo >>> 0;
    this.#becomeRoot();
  }

  get isRoot(): boolean {
    return this.root.hi === this.#idHi && this.root.lo === this.#macLo;
  }

  get #idHi(): number {
    return this.priority * 0x10000 + this.#macHi;
  }

  // --- configuration (8.8) ---

  /** A port takes part from now on. */
  // cold: configuration
  enable(port: TreePort): void {
    if (this.ports.length === 0) {
      this.#becomeRoot();
      this.#helloExpired();
    }
    this.ports.push(port);
    this.ports.sort((a, b) => a.number - b.number);
    this.#becomeDesignated(port);
    port.state = STATE_BLOCKING;
    port.acknowledge = false;
    port.configPending = false;
    this.#selectStates();
    this.#sendConfiguration(port);
  }

  // cold: configuration
  disable(port: TreePort): void {
    const index = this.ports.indexOf(port);
    if (index < 0) return;
    const wasRoot = this.isRoot;
    this.#becomeDesignated(port);
    if (port.learns) this.#detectChange();
    port.state = STATE_DISABLED;
    for (const timer of [port.messageAge, port.forwardDelay, port.hold]) this.#callouts.stop(timer);
    this.ports.splice(index, 1);
    this.#bridge.stopped(port);
    this.#updateConfiguration();
    this.#selectStates();
    if (this.isRoot && !wasRoot) this.#newRoot();
    if (this.ports.length === 0) this.stop();
  }

  /** No timer is left. */
  stop(): void {
    this.#callouts.stop(this.#helloTimer);
    this.#callouts.stop(this.#notifyTimer);
    this.#callouts.stop(this.#changeTimer);
    this.topologyChange = false;
    this.#changeDetected = false;
    this.#bridge.ageWithin(Infinity);
  }

  /** Priority or times were changed (8.8.4, 8.8.5): each port that is designated says so. */
  // cold: configuration
  reconfigure(change: () => void): void {
    const wasRoot = this.isRoot;
    const own = this.ports.filter((port) => this.#isDesignated(port));
    change();
    for (const port of own) this.#becomeDesignated(port);
    if (wasRoot) this.#becomeRoot();
    this.#updateConfiguration();
    this.#selectStates();
    if (this.isRoot && !wasRoot) this.#newRoot();
    if (this.isRoot) this.#useOwnTimes();
    this.#generateConfiguration();
  }

  // --- messages (8.7.1, 8.7.2) ---

  /** A checked unit came by that port. */
  receive(port: TreePort, at: number): void {
    if (port.state === STATE_DISABLED) return;
    if (bpdu.type(this.#view, at) === bpdu.TYPE_NOTIFICATION) this.#receiveNotification(port);
    else this.#receiveConfiguration(port, at);
  }

  #receiveConfiguration(port: TreePort, at: number): void {
    const view = this.#view;
    const age = bpdu.messageAge(view, at);
    if (age >= bpdu.maxAge(view, at)) return;
    const wasRoot = this.isRoot;
    if (!this.#supersedes(port, at)) {
      if (this.#isDesignated(port)) this.#sendConfiguration(port);
      return;
    }
    this.#record(port, at, age);
    this.#updateConfiguration();
    this.#selectStates();
    if (wasRoot && !this.isRoot) this.#rootLost();
    if (port !== this.rootPort) return;
    this.#maxAge = bpdu.maxAge(view, at);
    this.#hello = bpdu.helloTime(view, at);
    this.#forwardDelay = bpdu.forwardDelay(view, at);
    this.#setChange((bpdu.flags(view, at) & bpdu.FLAG_TOPOLOGY_CHANGE) !== 0);
    this.#generateConfiguration();
    if ((bpdu.flags(view, at) & bpdu.FLAG_ACKNOWLEDGE) === 0) return;
    this.#changeDetected = false;
    this.#callouts.stop(this.#notifyTimer);
  }

  #receiveNotification(port: TreePort): void {
    if (!this.#isDesignated(port)) return;
    this.#detectChange();
    port.acknowledge = true;
    this.#sendConfiguration(port);
  }

  /** Whether a message is better than what the port has, or the same from the same (8.6.2). */
  #supersedes(port: TreePort, at: number): boolean {
    const view = this.#view;
    const root = compareIds(bpdu.rootHi(view, at), bpdu.rootLo(view, at), port.rootHi, port.rootLo);
    if (root !== 0) return root < 0;
    const cost = bpdu.rootPathCost(view, at) - port.designatedCost;
    if (cost !== 0) return cost < 0;
    const hi = bpdu.bridgeHi(view, at);
    const lo = bpdu.bridgeLo(view, at);
    const sender = compareIds(hi, lo, port.designatedHi, port.designatedLo);
    if (sender !== 0) return sender < 0;
    if (hi !== this.#idHi || lo !== this.#macLo) return true;
    return bpdu.port(view, at) <= port.designatedPort;
  }

  #record(port: TreePort, at: number, age: number): void {
    const view = this.#view;
    port.rootHi = bpdu.rootHi(view, at);
    port.rootLo = bpdu.rootLo(view, at);
    port.designatedCost = bpdu.rootPathCost(view, at);
    port.designatedHi = bpdu.bridgeHi(view, at);
    port.designatedLo = bpdu.bridgeLo(view, at);
    port.designatedPort = bpdu.port(view, at);
    port.heardAge = age;
    port.heardUs = this.#nowUs();
    const leftUs = ticksUs(bpdu.maxAge(view, at) - age);
    this.#callouts.schedule(port.messageAge, port.heardUs + leftUs);
  }

  // --- sending (8.6.1, 8.6.4, 8.6.6) ---

  #generateConfiguration(): void {
    for (let i = 0; i < this.ports.length; i++) {
      const port = this.ports[i] as TreePort;
      if (this.#isDesignated(port)) this.#sendConfiguration(port);
    }
  }

  #sendConfiguration(port: TreePort): void {
    if (port.hold.pending) {
      port.configPending = true;
      return;
    }
    const at = this.#bridge.beginUnit(port, bpdu.CONFIGURATION_BYTES);
    if (at < 0) return;
    const view = this.#view;
    bpdu.setType(view, at, bpdu.TYPE_CONFIGURATION);
    const change = this.topologyChange ? bpdu.FLAG_TOPOLOGY_CHANGE : 0;
    bpdu.setFlags(view, at, change | (port.acknowledge ? bpdu.FLAG_ACKNOWLEDGE : 0));
    bpdu.setRoot(view, at, this.root.hi, this.root.lo, this.rootCost);
    bpdu.setSender(view, at, this.#idHi, this.#macLo, port.id);
    bpdu.setTimes(view, at, Math.min(this.#age(), 0xffff), this.#maxAge, this.#hello, this.#forwardDelay);
    this.#bridge.commitUnit(port);
    port.acknowledge = false;
    port.configPending = false;
    this.#callouts.schedule(port.hold, this.#nowUs() + HOLD_US);
  }

  /** Age of what we say: 0 from the root, else older than what the root port heard. */
  #age(): number {
    const { rootPort } = this;
    if (rootPort === null) return 0;
    const heard = Math.floor(((this.#nowUs() - rootPort.heardUs) * TICKS_PER_S) / US_PER_S);
    return rootPort.heardAge + heard + MESSAGE_AGE_INCREMENT;
  }

  #sendNotification(): void {
    if (this.rootPort === null) return;
    const at = this.#bridge.beginUnit(this.rootPort, bpdu.NOTIFICATION_BYTES);
    if (at < 0) return;
    bpdu.setType(this.#view, at, bpdu.TYPE_NOTIFICATION);
    this.#bridge.commitUnit(this.rootPort);
  }

  // --- election (8.6.7 to 8.6.10) ---

  #updateConfiguration(): void {
    this.#selectRoot();
    for (let i = 0; i < this.ports.length; i++) {
      const port = this.ports[i] as TreePort;
      if (this.#isDesignated(port) || this.#isBetter(port)) this.#becomeDesignated(port);
    }
  }

  #selectRoot(): void {
    let best: TreePort | null = null;
    for (let i = 0; i < this.ports.length; i++) {
      const port = this.ports[i] as TreePort;
      if (this.#isDesignated(port) || compareIds(port.rootHi, port.rootLo, this.#idHi, this.#macLo) >= 0) continue;
      if (best === null || this.#isCloser(port, best)) best = port;
    }
    this.rootPort = best;
    if (best === null) {
      this.#becomeRoot();
      return;
    }
    this.root.hi = best.rootHi;
    this.root.lo = best.rootLo;
    this.rootCost = best.designatedCost + best.pathCost;
  }

  #isCloser(port: TreePort, than: TreePort): boolean {
    const root = compareIds(port.rootHi, port.rootLo, than.rootHi, than.rootLo);
    if (root !== 0) return root < 0;
    const cost = port.designatedCost + port.pathCost - (than.designatedCost + than.pathCost);
    if (cost !== 0) return cost < 0;
    const sender = compareIds(port.designatedHi, port.designatedLo, than.designatedHi, than.designatedLo);
    if (sender !== 0) return sender < 0;
    const heard = port.designatedPort - than.designatedPort;
    return heard !== 0 ? heard < 0 : port.id < than.id;
  }

  #isDesignated(port: TreePort): boolean {
    return port.designatedLo === this.#macLo && port.designatedHi === this.#idHi && port.designatedPort === port.id;
  }

  /** Whether we would be a better designated bridge of that LAN than the one it has. */
  #isBetter(port: TreePort): boolean {
    if (port.rootHi !== this.root.hi || port.rootLo !== this.root.lo) return true;
    if (this.rootCost !== port.designatedCost) return this.rootCost < port.designatedCost;
    const own = compareIds(this.#idHi, this.#macLo, port.designatedHi, port.designatedLo);
    return own !== 0 ? own < 0 : port.id <= port.designatedPort;
  }

  #becomeDesignated(port: TreePort): void {
    port.rootHi = this.root.hi;
    port.rootLo = this.root.lo;
    port.designatedCost = this.rootCost;
    port.designatedHi = this.#idHi;
    port.designatedLo = this.#macLo;
    port.designatedPort = port.id;
  }

  #becomeRoot(): void {
    this.root.hi = this.#idHi;
    this.root.lo = this.#macLo;
    this.rootPort = null;
    this.rootCost = 0;
    this.#useOwnTimes();
  }

  #useOwnTimes(): void {
    this.#maxAge = this.maxAgeSec * TICKS_PER_S;
    this.#hello = this.helloSec * TICKS_PER_S;
    this.#forwardDelay = this.forwardDelaySec * TICKS_PER_S;
  }

  /** We are the root from now on. */
  #newRoot(): void {
    this.#useOwnTimes();
    this.#detectChange();
    this.#callouts.stop(this.#notifyTimer);
    this.#helloExpired();
  }

  /** Somebody else is the root from now on. */
  #rootLost(): void {
    this.#callouts.stop(this.#helloTimer);
    if (!this.#changeDetected) return;
    this.#callouts.stop(this.#changeTimer);
    this.#notifyExpired();
  }

  // --- port states (8.6.11 to 8.6.13) ---

  #selectStates(): void {
    for (let i = 0; i < this.ports.length; i++) {
      const port = this.ports[i] as TreePort;
      if (port === this.rootPort) {
        port.configPending = false;
        port.acknowledge = false;
        this.#makeForwarding(port);
      } else if (this.#isDesignated(port)) {
        this.#callouts.stop(port.messageAge);
        this.#makeForwarding(port);
      } else {
        port.configPending = false;
        port.acknowledge = false;
        this.#makeBlocking(port);
      }
    }
  }

  #makeForwarding(port: TreePort): void {
    if (port.state !== STATE_BLOCKING) return;
    port.state = STATE_LISTENING;
    this.#callouts.schedule(port.forwardDelay, this.#nowUs() + ticksUs(this.#forwardDelay));
  }

  #makeBlocking(port: TreePort): void {
    if (port.state === STATE_BLOCKING || port.state === STATE_DISABLED) return;
    if (port.learns) this.#detectChange();
    port.state = STATE_BLOCKING;
    this.#callouts.stop(port.forwardDelay);
    this.#bridge.stopped(port);
  }

  // --- topology changes (8.6.14 to 8.6.16) ---

  #detectChange(): void {
    if (this.isRoot) {
      this.#setChange(true);
      const lastsUs = (this.maxAgeSec + this.forwardDelaySec) * US_PER_S;
      this.#callouts.schedule(this.#changeTimer, this.#nowUs() + lastsUs);
    } else if (!this.#changeDetected) this.#notifyExpired();
    this.#changeDetected = true;
  }

  #setChange(changing: boolean): void {
    if (changing === this.topologyChange) return;
    this.topologyChange = changing;
    this.#bridge.ageWithin(changing ? ticksUs(this.#forwardDelay) : Infinity);
  }

  // --- timers (8.7.3 to 8.7.8) ---

  #helloExpired(): void {
    if (!this.isRoot) return;
    this.#generateConfiguration();
    this.#callouts.schedule(this.#helloTimer, this.#nowUs() + this.helloSec * US_PER_S);
  }

  #notifyExpired(): void {
    if (this.isRoot) return;
    this.#sendNotification();
    this.#callouts.schedule(this.#notifyTimer, this.#nowUs() + this.helloSec * US_PER_S);
  }

  #changeExpired(): void {
    this.#changeDetected = false;
    this.#setChange(false);
  }

  messageAgeExpired(port: TreePort): void {
    const wasRoot = this.isRoot;
    this.#becomeDesignated(port);
    this.#updateConfiguration();
    this.#selectStates();
    if (this.isRoot && !wasRoot) this.#newRoot();
  }

  forwardDelayExpired(port: TreePort): void {
    if (port.state === STATE_LISTENING) {
      port.state = STATE_LEARNING;
      this.#callouts.schedule(port.forwardDelay, this.#nowUs() + ticksUs(this.#forwardDelay));
    } else if (port.state === STATE_LEARNING) {
      port.state = STATE_FORWARDING;
      for (let i = 0; i < this.ports.length; i++) {
        if (!this.#isDesignated(this.ports[i] as TreePort)) continue;
        this.#detectChange();
        break;
      }
    }
  }

  holdExpired(port: TreePort): void {
    if (port.configPending) this.#sendConfiguration(port);
  }
}

function ticksUs(ticks: number): number {
  return (ticks * US_PER_S) / TICKS_PER_S;
}
