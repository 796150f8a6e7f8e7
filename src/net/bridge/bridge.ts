/**
 * bridge(4): frames go from member to member, to where their station was last heard.
 *
 * Thread: the one that runs the kernel. Data path: allocates nothing; the list of members and the address table are read in sections of
 * pserialize(9), their one writer is configuration under the mutex, and learning (address-table.ts). Frames for the address of any member,
 * and groups, are received by the kernel too; what a member's interface sends goes where the table says.
 * Read first: bridge(4), brconfig(8), link-input.ts (hooks), link-layer.ts (`output`). Missing: packet filters (`ipf`).
 */

import { Errno } from '../../base/errors.ts';
import { US_PER_S } from '../../base/units.ts';
import { Callout } from '../../kern/callout.ts';
import type { CpuContext } from '../../kern/context.ts';
import { Mutex } from '../../kern/mutex.ts';
import { Pserialize } from '../../kern/pserialize.ts';
import { Pslist, type PslistEntry } from '../../kern/pslist.ts';
import type { MacAddress } from '../../link/device.ts';
import * as bpdu from '../../wire/bpdu.ts';
import * as ethernet from '../../wire/ethernet.ts';
import type { Interface } from '../interface.ts';
import { STAGE_BRIDGE } from '../link-input.ts';
import type { LinkLayer } from '../link-layer.ts';
import { AddressTable } from './address-table.ts';
import { FrameSender } from './frame-sender.ts';
import {
  BridgeMember,
  IFBIF_DISCOVER,
  IFBIF_LEARNING,
  IFBIF_PROTECTED,
  IFBIF_STP,
  type MemberBridge,
} from './member.ts';
import { SpanningTree, type TreeBridge } from './spanning-tree.ts';
import type { TreePort } from './spanning-tree-port.ts';

/** Between two ageings. */
const PRUNE_US: number = 300 * US_PER_S;
/** Longest frame of a super-frame. */
const STAGING_BYTES: number = ethernet.HEADER_BYTES + 65535;
/** The network header is 4-aligned there. */
const STAGING_PAD_BYTES = 2;

export class Bridge implements MemberBridge, TreeBridge {
  readonly addresses: AddressTable<BridgeMember>;
  readonly tree: SpanningTree;
  /** Link of the interface of the bridge itself; set when it is made. */
  link!: LinkLayer;
  readonly #context: CpuContext;
  readonly #mac: MacAddress;
  readonly #sender: FrameSender;
  readonly #members: Pslist<BridgeMember> = new Pslist<BridgeMember>();
  readonly #lock: Mutex = new Mutex();
  readonly #pserialize: Pserialize = new Pserialize();
  readonly #prune: Callout;
  readonly #stagingAt: number;
  /** The member in whose link the open reservation lies; null while it lies in the staging place. */
  #open: BridgeMember | null = null;
  readonly #counts: BridgeCounts;

  /** `stagingAt`: {@link stagingBytes} of the kernel's memory. */
  constructor(context: CpuContext, mac: MacAddress, stagingAt: number) {
    const { view } = context.shared.arena;
    this.#context = context;
    this.#mac = mac;
    this.#stagingAt = stagingAt + STAGING_PAD_BYTES;
    this.#sender = new FrameSender(view, context.bulk);
    this.addresses = new AddressTable<BridgeMember>(this.#pserialize, context.rng.next32());
    this.tree = new SpanningTree(this, view, context.callouts, () => context.nowUs(), mac);
    this.#counts = countsOf(context.counters);
    this.#prune = new Callout((nowUs) => this.#age(nowUs));
    context.callouts.schedule(this.#prune, context.nowUs() + PRUNE_US);
  }

  /** Bytes of memory that the constructor is given. */
  static readonly stagingBytes: number = STAGING_BYTES + STAGING_PAD_BYTES;

  get iface(): Interface {
    return this.link.iface;
  }

  /** It is up. */
  get running(): boolean {
    return this.iface.up;
  }

  // --- configuration ---

  /** In the order in which they were added. */
  // cold: configuration
  members(): BridgeMember[] {
    const found: BridgeMember[] = [];
    for (let place = this.#members.first; place !== null; place = place.next) found.push(place.value);
    return found;
  }

  // cold: configuration
  member(iface: Interface): BridgeMember | null {
    return this.members().find((member) => member.iface === iface) ?? null;
  }

  /**
   * Whether {@link add} would take that interface: 0, or `-EINVAL` (a bridge, or a link that carries no Ethernet frames), `-EEXIST`
   * (member already), `-EBUSY` (member of another bridge).
   */
  // cold: configuration
  canAdd(iface: Interface): number {
    if (iface === this.iface || !iface.link.takesFrames || iface.link.kind === 'bridge') return -Errno.EINVAL;
    if (this.member(iface) !== null) return -Errno.EEXIST;
    return iface.link.output === null ? 0 : -Errno.EBUSY;
  }

  /** Errors as {@link canAdd}. */
  // cold: configuration
  add(iface: Interface): number {
    const error = this.canAdd(iface);
    if (error !== 0) return error;
    const member = new BridgeMember(this, iface, this.tree);
    this.#lock.enter();
    this.#members.insertTail(member.place);
    this.#lock.exit();
    iface.addHook(member);
    iface.link.output = member;
    iface.setPromiscuous(true);
    return 0;
  }

  /** Returns 0, or `-ENOENT` when it is no member. */
  // cold: configuration
  remove(iface: Interface): number {
    const member = this.member(iface);
    if (member === null) return -Errno.ENOENT;
    iface.removeHook(member);
    this.memberGone(member);
    return 0;
  }

  memberGone(member: BridgeMember): void {
    const { iface } = member;
    if (!member.place.linked) return;
    if (iface.link.output === member) iface.link.output = null;
    this.tree.disable(member.port);
    iface.setPromiscuous(false);
    this.#lock.enter();
    this.#members.remove(member.place);
    this.#lock.exit();
    this.addresses.removeMember(member);
    this.#pserialize.perform();
    member.place.destroy();
  }

  /** `IFBIF_*` of a member. */
  // cold: configuration
  setFlags(member: BridgeMember, flags: number): void {
    const { stp } = member;
    member.flags = flags & (IFBIF_LEARNING | IFBIF_DISCOVER | IFBIF_STP | IFBIF_PROTECTED);
    if (stp === member.stp) return;
    if (stp) this.tree.disable(member.port);
    else this.tree.enable(member.port);
  }

  /** The interface of the bridge goes: members are what they were before. */
  // cold: configuration
  close(): void {
    for (const { iface } of this.members()) this.remove(iface);
    this.tree.stop();
    this.#context.callouts.stop(this.#prune);
  }

  // --- the way in ---

  input(member: BridgeMember, at: number, lengthBytes: number, meta: number, nowUs: number): boolean {
    if (!this.iface.up || lengthBytes < ethernet.HEADER_BYTES) return false;
    const { view } = this.#context.shared.arena;
    const dstHi = ethernet.dstHi(view, at);
    const dstLo = ethernet.dstLo(view, at);
    if (member.stp && dstLo === bpdu.GROUP_LO && dstHi === bpdu.GROUP_HI) {
      this.#receiveUnit(member, at, lengthBytes);
      return true;
    }
    const blind = member.stp && !member.port.learns;
    if ((dstHi & ethernet.GROUP_BIT) === 0 && !blind) {
      const own = this.#ownerOf(dstHi, dstLo);
      if (own !== null) {
        this.#learn(member, at, nowUs);
        if (own === member.iface) return false;
        this.#deliver(own, at, lengthBytes, meta, nowUs);
        return true;
      }
      if (this.#ownerOf(ethernet.srcHi(view, at), ethernet.srcLo(view, at)) !== null) {
        this.#counts.add(this.#counts.ownSource);
        return true;
      }
    }
    // The kernel hears what comes by a port that blocks, as in NetBSD.
    if (blind) return false;
    return this.#forward(member, dstHi, dstLo, at, lengthBytes, meta, nowUs);
  }

  /** The interface that has an address: a member's, or that of the bridge; null for stations elsewhere. */
  #ownerOf(hi: number, lo: number): Interface | null {
    if (lo === this.#mac.lo && hi === this.#mac.hi) return this.iface;
    let place: PslistEntry<BridgeMember> | null = this.#members.first;
    for (; place !== null; place = place.next) {
      const { iface } = place.value;
      if (iface.macLo === lo && iface.macHi === hi && iface.up) return iface;
    }
    return null;
  }

  #deliver(iface: Interface, at: number, lengthBytes: number, meta: number, nowUs: number): void {
    if (iface === this.iface) iface.input.frame(iface, at, lengthBytes, meta, nowUs);
    else iface.input.pass(iface, at, lengthBytes, meta, nowUs, STAGE_BRIDGE);
  }

  #learn(member: BridgeMember, at: number, nowUs: number): void {
    if ((member.flags & IFBIF_LEARNING) === 0) return;
    const { view } = this.#context.shared.arena;
    const hi = ethernet.srcHi(view, at);
    const lo = ethernet.srcLo(view, at);
    if ((hi & ethernet.GROUP_BIT) !== 0 || (hi | lo) === 0) return;
    this.#pserialize.readEnter();
    const learned = this.addresses.learn(hi, lo, member, nowUs);
    this.#pserialize.readExit();
    if (learned < 0) this.#counts.add(this.#counts.tableFull);
  }

  /** True: the frame is not for this kernel. */
  #forward(
    from: BridgeMember,
    dstHi: number,
    dstLo: number,
    at: number,
    lengthBytes: number,
    meta: number,
    nowUs: number,
  ): boolean {
    this.#learn(from, at, nowUs);
    const group = (dstHi & ethernet.GROUP_BIT) !== 0;
    if (from.stp && !from.port.forwards) {
      this.#counts.add(this.#counts.blocked);
      return true;
    }
    if (!group) {
      this.#pserialize.readEnter();
      const to = this.addresses.lookup(dstHi, dstLo);
      this.#pserialize.readExit();
      if (to !== null) {
        if (to !== from) this.#pass(from, to, at, lengthBytes, meta);
        return true;
      }
    }
    this.#pserialize.readEnter();
    let place: PslistEntry<BridgeMember> | null = this.#members.first;
    for (; place !== null; place = place.next) {
      const to = place.value;
      if (to !== from && (group || (to.flags & IFBIF_DISCOVER) !== 0)) this.#pass(from, to, at, lengthBytes, meta);
    }
    this.#pserialize.readExit();
    if (!group) return true;
    this.#deliverGroup(from, at, lengthBytes, meta, nowUs);
    return false;
  }

  /** The bridge and each other member with an address is a station of this LAN; the member that it came by hears it anyway. */
  #deliverGroup(from: BridgeMember, at: number, lengthBytes: number, meta: number, nowUs: number): void {
    if (hasAddress(this.iface)) this.#deliver(this.iface, at, lengthBytes, meta, nowUs);
    this.#pserialize.readEnter();
    let place: PslistEntry<BridgeMember> | null = this.#members.first;
    for (; place !== null; place = place.next) {
      const { iface } = place.value;
      if (place.value !== from && iface.up && hasAddress(iface)) this.#deliver(iface, at, lengthBytes, meta, nowUs);
    }
    this.#pserialize.readExit();
  }

  /** One frame from one member to another. */
  #pass(from: BridgeMember, to: BridgeMember, at: number, lengthBytes: number, meta: number): void {
    if ((from.flags & to.flags & IFBIF_PROTECTED) !== 0) {
      this.#counts.add(this.#counts.protectedPair);
      return;
    }
    if (this.#sendTo(to, at, lengthBytes, meta)) this.#counts.add(this.#counts.forwarded);
  }

  #sendTo(to: BridgeMember, at: number, lengthBytes: number, meta: number): boolean {
    if (!to.open) {
      this.#counts.add(this.#counts.blocked);
      return false;
    }
    const sent = this.#sender.send(to.iface.link, at, lengthBytes, meta);
    if (sent === 0) return true;
    to.iface.outDrops++;
    this.#counts.add(sent === -Errno.EMSGSIZE ? this.#counts.tooLong : this.#counts.noRoom);
    return false;
  }

  // --- what the kernel sends by a member (`from`), or by the bridge itself (null) ---

  reserve(from: BridgeMember | null, dstHi: number, dstLo: number, frameBytes: number): number {
    this.#open = null;
    if (frameBytes > STAGING_BYTES) return -Errno.EMSGSIZE;
    if ((dstHi & ethernet.GROUP_BIT) !== 0) return this.#stagingAt;
    this.#pserialize.readEnter();
    const to = this.addresses.lookup(dstHi, dstLo);
    this.#pserialize.readExit();
    if (to === null || !to.open) return this.#stagingAt;
    const { link } = to.iface;
    const wanted = from === null ? this.iface.link.capabilities : from.iface.link.capabilities;
    const fits = frameBytes - ethernet.HEADER_BYTES <= link.maxPacketBytes && (wanted & ~link.capabilities) === 0;
    if (!fits) return this.#stagingAt;
    const at = link.reserveFrame(dstHi, dstLo, frameBytes);
    if (at >= 0) this.#open = to;
    return at;
  }

  commit(from: BridgeMember | null, frameBytes: number, meta: number): void {
    const to = this.#open;
    this.#open = null;
    if (to !== null) {
      to.iface.link.commitFrame(frameBytes, meta);
      return;
    }
    const { view } = this.#context.shared.arena;
    const at = this.#stagingAt;
    const hi = ethernet.dstHi(view, at);
    this.#pserialize.readEnter();
    const known = (hi & ethernet.GROUP_BIT) === 0 ? this.addresses.lookup(hi, ethernet.dstLo(view, at)) : null;
    let place: PslistEntry<BridgeMember> | null = this.#members.first;
    for (; place !== null; place = place.next) {
      const other = place.value;
      const wanted = known === null ? other === from || other.open : other === known;
      if (wanted) this.#sendOwn(from, other, at, frameBytes, meta);
    }
    this.#pserialize.readExit();
  }

  /** The port that a frame of its own kernel is sent by need not forward, as in NetBSD. */
  #sendOwn(from: BridgeMember | null, to: BridgeMember, at: number, frameBytes: number, meta: number): void {
    if (to !== from) this.#sendTo(to, at, frameBytes, meta);
    else if (this.#sender.send(to.iface.link, at, frameBytes, meta) !== 0) to.iface.outDrops++;
  }

  cancel(): void {
    this.#open?.iface.link.cancelFrame();
    this.#open = null;
  }

  awaitRoom(dstHi: number, dstLo: number): boolean {
    const to = this.addresses.lookup(dstHi, dstLo);
    return to === null || to.iface.link.awaitFrameRoom(dstHi, dstLo);
  }

  // --- spanning tree ---

  #receiveUnit(member: BridgeMember, at: number, lengthBytes: number): void {
    const { view } = this.#context.shared.arena;
    if (bpdu.check(view, at, lengthBytes) !== 0) this.#counts.add(this.#counts.badUnit);
    else this.tree.receive(member.port, at + bpdu.FRAME_OFFSET);
  }

  beginUnit(port: TreePort, unitBytes: number): number {
    const member = this.#memberOf(port);
    if (member === null || !member.iface.up) return -Errno.ENETDOWN;
    const { link } = member.iface;
    const at = link.reserveFrame(bpdu.GROUP_HI, bpdu.GROUP_LO, ethernet.FRAME_BYTES_MIN);
    if (at < 0) return at;
    this.#context.bulk.fill(at, ethernet.FRAME_BYTES_MIN, 0);
    bpdu.setFrame(this.#context.shared.arena.view, at, link.mac.hi, link.mac.lo, unitBytes);
    return at + bpdu.FRAME_OFFSET;
  }

  commitUnit(port: TreePort): void {
    this.#memberOf(port)?.iface.link.commitFrame(ethernet.FRAME_BYTES_MIN, 0);
  }

  stopped(port: TreePort): void {
    const member = this.#memberOf(port);
    if (member !== null) this.addresses.forget(member);
  }

  ageWithin(timeUs: number): void {
    this.addresses.changingUs = timeUs;
    if (timeUs !== Infinity) this.#age(this.#context.nowUs());
  }

  #memberOf(port: TreePort): BridgeMember | null {
    let place: PslistEntry<BridgeMember> | null = this.#members.first;
    for (; place !== null; place = place.next) if (place.value.port === port) return place.value;
    return null;
  }

  /** The next ageing is earlier while the spanning tree changes. */
  #age(nowUs: number): void {
    this.addresses.age(nowUs);
    this.#context.callouts.schedule(this.#prune, nowUs + Math.min(PRUNE_US, this.addresses.changingUs));
  }
}

function hasAddress(iface: Interface): boolean {
  return iface.addresses.length + iface.addresses6.length > 0;
}

/** Counters of all bridges of a CPU. */
interface BridgeCounts {
  add(index: number): void;
  readonly forwarded: number;
  /** No room in the link of the member. */
  readonly noRoom: number;
  /** Longer than the MTU of the member. */
  readonly tooLong: number;
  /** A port is down or does not forward. */
  readonly blocked: number;
  readonly protectedPair: number;
  /** A frame of our own came back: a loop. */
  readonly ownSource: number;
  readonly tableFull: number;
  readonly badUnit: number;
}

// cold: once per bridge
function countsOf(counters: CpuContext['counters']): BridgeCounts {
  return {
    add: (index) => counters.add(index, 1),
    forwarded: counters.index('bridge-forwarded'),
    noRoom: counters.index('bridge-no-room'),
    tooLong: counters.index('bridge-too-long'),
    blocked: counters.index('bridge-blocked'),
    protectedPair: counters.index('bridge-protected'),
    ownSource: counters.index('bridge-own-source'),
    tableFull: counters.index('bridge-table-full'),
    badUnit: counters.index('bridge-bad-bpdu'),
  };
}
