import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Errno } from '../base/errors.ts';
import type { Interface } from './interface.ts';
import { PathEpoch } from './path-epoch.ts';
import { type Route, RTF_UP } from './route.ts';
import { maskOf, RouteTable } from './route-table.ts';

const IFACE = { name: 'eth0' } as Interface;

function route(destination: number, prefixLength: number): Route {
  return {
    destination: destination | 0,
    prefixLength,
    gateway: 0,
    iface: IFACE,
    flags: RTF_UP,
    mtuBytes: 0,
    source: 0,
    uses: 0,
    expiresUs: Infinity,
    metrics: null,
  };
}

/** Longest prefix match by looking at every route. */
function naive(routes: readonly Route[], address: number): Route | null {
  let best: Route | null = null;
  for (const one of routes) {
    if ((address & maskOf(one.prefixLength)) !== one.destination) continue;
    if (best === null || one.prefixLength > best.prefixLength) best = one;
  }
  return best;
}

describe('RouteTable', () => {
  it('prefers the longer prefix and falls back when it goes', () => {
    const table = new RouteTable();
    const all = route(0, 0);
    const ten = route(0x0a000000, 8);
    const net = route(0x0a000100, 24);
    const host = route(0x0a000105, 32);
    for (const one of [net, all, host, ten]) expect(table.add(one)).toBe(0);
    expect(table.lookup(0x0a000105)).toBe(host);
    expect(table.lookup(0x0a000106)).toBe(net);
    expect(table.lookup(0x0a010101)).toBe(ten);
    expect(table.lookup(0xc0a80001 | 0)).toBe(all);
    expect(table.remove(0x0a000105, 32)).toBe(host);
    expect(table.lookup(0x0a000105)).toBe(net);
    expect(table.remove(0x0a000100, 24)).toBe(net);
    expect(table.lookup(0x0a000105)).toBe(ten);
    expect(table.remove(0, 0)).toBe(all);
    expect(table.lookup(0xc0a80001 | 0)).toBeNull();
    expect(table.list()).toEqual([ten]);
  });

  it('refuses a second route of the same prefix, host bits, and more than its limit', () => {
    const table = new RouteTable(new PathEpoch(), 2);
    expect(table.add(route(0x0a000000, 8))).toBe(0);
    expect(table.add(route(0x0a000000, 8))).toBe(-Errno.EEXIST);
    expect(table.add(route(0x0a000000, 9))).toBe(0);
    expect(table.add(route(0x0a000001, 24))).toBe(-Errno.EINVAL);
    expect(table.add(route(0x0b000000, 8))).toBe(-Errno.ENOBUFS);
    expect(table.remove(0x0c000000, 8)).toBeNull();
  });

  it('bumps the path epoch with every change', () => {
    const epoch = new PathEpoch();
    const table = new RouteTable(epoch);
    const before = epoch.value;
    table.add(route(0, 0));
    expect(epoch.value).toBeGreaterThan(before);
    const between = epoch.value;
    table.remove(0, 0);
    expect(epoch.value).toBeGreaterThan(between);
  });

  it('finds what a search of all routes finds, through any order of additions and removals', () => {
    // Few distinct bits, so that prefixes nest and collide often.
    const address = fc
      .tuple(fc.constantFrom(10, 11, 192), fc.constantFrom(0, 1, 128, 255), fc.nat(3), fc.nat(7))
      .map(([a, b, c, d]) => (a << 24) | (b << 16) | (c << 8) | d);
    const step = fc.record({ address, prefixLength: fc.nat(32), remove: fc.boolean() });
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 60 }),
        fc.array(address, { minLength: 20, maxLength: 20 }),
        (steps, probes) => {
          const table = new RouteTable();
          let routes: Route[] = [];
          for (const { address: at, prefixLength, remove } of steps) {
            const destination = at & maskOf(prefixLength);
            const known = routes.find((one) => one.destination === destination && one.prefixLength === prefixLength);
            if (remove) {
              expect(table.remove(destination, prefixLength)).toBe(known ?? null);
              routes = routes.filter((one) => one !== known);
            } else {
              const fresh = route(destination, prefixLength);
              expect(table.add(fresh)).toBe(known === undefined ? 0 : -Errno.EEXIST);
              if (known === undefined) routes.push(fresh);
            }
          }
          for (const probe of [...probes, ...steps.map((one) => one.address)]) {
            expect(table.lookup(probe)).toBe(naive(routes, probe));
          }
          expect(table.count).toBe(routes.length);
        },
      ),
      { numRuns: 300 },
    );
  });
});
