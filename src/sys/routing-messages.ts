/**
 * Routing messages: changes of interfaces, addresses, routes and neighbors as an event stream (`routeEvents`), numbered as in NetBSD.
 *
 * Thread: the one that runs the kernel. The tables call {@link RoutingMessages} as their listener (net/table-events.ts), which is
 * there only while somebody reads. Each reader has a bounded queue; messages that find no room are counted, and the next
 * batch says how many. Batches leave before the reply of the control request that caused them, and at the end of a turn.
 * Read first: route(4).
 * Cold: changes of configuration.
 */

import type { Inet } from '../inet/inet.ts';
import type { Interface } from '../net/interface.ts';
import type { Neighbor } from '../net/neighbor-cache.ts';
import type { Route } from '../net/route.ts';
import type { TableListener } from '../net/table-events.ts';
import {
  IFAN_ARRIVAL,
  IFAN_DEPARTURE,
  type RouteMessage,
  type RouteMessages,
  RTM_ADD,
  RTM_CHANGE,
  RTM_DELADDR,
  RTM_DELETE,
  RTM_IFANNOUNCE,
  RTM_IFINFO,
  RTM_MISS,
  RTM_NEWADDR,
  RTM_REDIRECT,
} from './control.ts';
import { addressRecord, linkStateOf, neighborRecord, routeRecord } from './records.ts';

export const QUEUE_MESSAGES_DEFAULT = 256;
export const QUEUE_MESSAGES_MAX = 65_536;
/** A reader with so much unread in its carrier gets nothing more until that is gone. */
const UNREAD_BYTES_MAX = 1024 * 1024;

interface Reader {
  readonly limit: number;
  readonly deliver: (batch: RouteMessages) => void;
  readonly unreadBytes: () => number;
  messages: RouteMessage[];
  dropped: number;
}

export class RoutingMessages implements TableListener {
  readonly #inet: Inet;
  readonly #readers: Set<Reader> = new Set();
  /** Whether {@link flush} has anything to do. */
  pending = false;

  constructor(inet: Inet) {
    this.#inet = inet;
  }

  get readerCount(): number {
    return this.#readers.size;
  }

  /** Adds a reader; the returned function removes it. `unreadBytes`: what `deliver` handed on and nobody took yet. */
  read(limit: number, deliver: (batch: RouteMessages) => void, unreadBytes: () => number): () => void {
    const reader: Reader = { limit, deliver, unreadBytes, messages: [], dropped: 0 };
    this.#readers.add(reader);
    this.#inet.tableEvents.listener = this;
    return () => {
      this.#readers.delete(reader);
      if (this.#readers.size === 0) this.#inet.tableEvents.listener = null;
    };
  }

  /** Hands every reader what waits for it. */
  flush(): void {
    this.pending = false;
    for (const reader of this.#readers) {
      if (reader.messages.length === 0 && reader.dropped === 0) continue;
      if (reader.unreadBytes() > UNREAD_BYTES_MAX) {
        this.pending = true;
        continue;
      }
      const { messages, dropped } = reader;
      reader.messages = [];
      reader.dropped = 0;
      reader.deliver({ dropped, messages });
    }
  }

  #post(message: RouteMessage): void {
    for (const reader of this.#readers) {
      if (reader.messages.length >= reader.limit) reader.dropped++;
      else reader.messages.push(message);
    }
    this.pending = true;
  }

  routeAdded(route: Route): void {
    this.#post({ type: RTM_ADD, route: routeRecord(this.#inet, route) });
  }

  routeDeleted(route: Route): void {
    this.#post({ type: RTM_DELETE, route: routeRecord(this.#inet, route) });
  }

  routeChanged(route: Route): void {
    this.#post({ type: RTM_CHANGE, route: routeRecord(this.#inet, route) });
  }

  redirected(destination: number, gateway: number, iface: Interface): void {
    this.#post({
      type: RTM_REDIRECT,
      destination: addressRecord(this.#inet, destination),
      gateway: addressRecord(this.#inet, gateway),
      interfaceIndex: iface.index,
    });
  }

  missed(destination: number): void {
    this.#post({ type: RTM_MISS, destination: addressRecord(this.#inet, destination) });
  }

  neighborAdded(neighbor: Neighbor): void {
    this.#post({ type: RTM_ADD, neighbor: neighborRecord(this.#inet, neighbor) });
  }

  neighborDeleted(neighbor: Neighbor): void {
    this.#post({ type: RTM_DELETE, neighbor: neighborRecord(this.#inet, neighbor) });
  }

  neighborMissed({ iface, address }: Neighbor): void {
    const destination = addressRecord(this.#inet, address);
    const source = this.#inet.families.of(address).sourceOn(iface, address);
    const author = addressRecord(this.#inet, source, destination.family);
    this.#post({ type: RTM_MISS, destination, linkIndex: iface.index, author });
  }

  addressAdded(iface: Interface, address: number, prefixLength: number): void {
    const record = addressRecord(this.#inet, address);
    this.#post({ type: RTM_NEWADDR, interfaceIndex: iface.index, address: record, prefixLength });
  }

  addressDeleted(iface: Interface, address: number, prefixLength: number): void {
    const record = addressRecord(this.#inet, address);
    this.#post({ type: RTM_DELADDR, interfaceIndex: iface.index, address: record, prefixLength });
  }

  interfaceChanged(iface: Interface): void {
    const { index, flags, mtuBytes } = iface;
    this.#post({ type: RTM_IFINFO, interfaceIndex: index, flags, mtuBytes, linkState: linkStateOf(iface) });
  }

  interfaceArrived({ index, name }: Interface): void {
    this.#post({ type: RTM_IFANNOUNCE, interfaceIndex: index, name, what: IFAN_ARRIVAL });
  }

  interfaceDeparted({ index, name }: Interface): void {
    this.#post({ type: RTM_IFANNOUNCE, interfaceIndex: index, name, what: IFAN_DEPARTURE });
  }
}
