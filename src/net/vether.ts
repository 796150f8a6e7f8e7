/**
 * vether(4): an Ethernet interface without a device, for the address of a host that is a bridge: `brconfig bridge0 add vether0`. Frames
 * that it sends by itself go nowhere; as a member of a bridge its own go through the bridge (`LinkLayer.output`), and those that the
 * bridge sends to it come in.
 *
 * Thread: the one that runs the kernel. Read first: software-ethernet.ts, net/bridge/bridge.ts.
 */

import { Errno } from '../base/errors.ts';
import type { CpuContext } from '../kern/context.ts';
import type { MacAddress } from '../link/device.ts';
import { HEADER_BYTES } from '../wire/ethernet.ts';
import { MTU_BYTES_MIN } from '../wire/ipv4.ts';
import type { InterfaceCloner } from './interface-cloner.ts';
import type { LinkLayer } from './link-layer.ts';
import { SoftwareEthernet } from './software-ethernet.ts';

const MTU_BYTES_DEFAULT = 1500;
const MTU_BYTES_MAX = 9000;
/** The network header is 4-aligned there. */
const PAD_BYTES = 2;
const PLACE_BYTES: number = PAD_BYTES + HEADER_BYTES + MTU_BYTES_MAX;
/** First octets of the addresses, local administration: `v` and `e`. */
const MAC_HI = 0x0276;
const MAC_LO = 0x65000000;

class VetherLink extends SoftwareEthernet {
  readonly kind: string = 'vether';
  readonly mac: MacAddress;
  readonly capabilities: number = 0;
  readonly linkUp: boolean = true;
  readonly downReason: string = '';
  mtuBytes: number = MTU_BYTES_DEFAULT;
  readonly #at: number;
  readonly #free: () => void;

  constructor(view: DataView, mac: MacAddress, at: number, free: () => void) {
    super(view);
    this.mac = mac;
    this.#at = at + PAD_BYTES;
    this.#free = free;
  }

  get maxPacketBytes(): number {
    return this.mtuBytes;
  }

  override reserveFrame(_dstHi: number, _dstLo: number, frameBytes: number): number {
    if (!this.iface.up) return -Errno.ENETDOWN;
    return frameBytes - HEADER_BYTES > this.mtuBytes ? -Errno.EMSGSIZE : this.#at;
  }

  override commitFrame(frameBytes: number, meta: number): void {
    this.countSent(this.#at, frameBytes, meta);
  }

  override cancelFrame(): void {}

  override awaitFrameRoom(_dstHi: number, _dstLo: number): boolean {
    return true;
  }

  override setMtu(mtuBytes: number): number {
    if (mtuBytes < MTU_BYTES_MIN || mtuBytes > MTU_BYTES_MAX) return -Errno.EINVAL;
    this.mtuBytes = mtuBytes;
    return 0;
  }

  override close(): void {
    this.#free();
  }
}

export class VetherCloner implements InterfaceCloner {
  readonly prefix: string = 'vether';
  readonly #context: CpuContext;

  constructor(context: CpuContext) {
    this.#context = context;
  }

  // cold: configuration
  create(_unit: number): LinkLayer | number {
    const { heap, rng, shared } = this.#context;
    const at = heap.allocate(PLACE_BYTES);
    if (at < 0) return -Errno.ENOBUFS;
    const mac = { hi: MAC_HI, lo: MAC_LO | (rng.next32() & 0x00ffffff) };
    return new VetherLink(shared.arena.view, mac, at, () => heap.free(at));
  }
}
