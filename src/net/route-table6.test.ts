import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Errno } from '../base/errors.ts';
import { SeededRng } from '../base/rng.ts';
import { AddressInterner } from '../inet/ip/address-interner.ts';
import { Sysctl } from '../kern/sysctl.ts';
import { Arena } from '../mem/arena.ts';
import { Counters } from '../mem/counters.ts';
import { type Address6, formatAddress, maskWord, parseAddress } from '../wire/ipv6-address.ts';
import type { Interface } from './interface.ts';
import { PathEpoch } from './path-epoch.ts';
import type { Route } from './route.ts';
import { RouteTable6 } from './route-table6.ts';

const arena = Arena.create(4 << 20);
let made = 0;

interface Bed {
  table: AddressInterner;
  routes: RouteTable6;
  epoch: PathEpoch;
  refused: () => number;
}

function bed(limit = 100): Bed {
  const counters = Counters.open(arena, `r${made++}`, 8);
  const table = new AddressInterner({ counters, sysctl: new Sysctl(), rng: new SeededRng(1) });
  const epoch = new PathEpoch();
  let refused = 0;
  const routes = new RouteTable6(
    table,
    epoch,
    () => limit,
    () => refused++,
  );
  return { table, routes, epoch, refused: () => refused };
}

function route(table: AddressInterner, prefix: string, zone = 0): Route {
  const [text, length] = prefix.split('/') as [string, string];
  return {
    destination: table.internAddress(parseAddress(text) as Address6, zone),
    prefixLength: Number(length),
    gateway: 0,
    iface: { index: zone } as Interface,
    flags: 0,
    mtuBytes: 0,
    source: 0,
    uses: 0,
    expiresUs: Infinity,
    metrics: null,
  };
}

function lookup({ table, routes }: Bed, text: string, zone = 0): string | null {
  const found = routes.lookup(table.internAddress(parseAddress(text) as Address6, zone));
  return found === null ? null : `${formatAddress(table.words(found.destination))}/${found.prefixLength}`;
}

describe('RouteTable6', () => {
  it('finds the most specific route', () => {
    const one = bed();
    for (const prefix of ['::/0', '2001:db8::/32', '2001:db8:1::/48', '2001:db8:1:2::/64', '2001:db8:1:2::5/128']) {
      expect(one.routes.add(route(one.table, prefix)), prefix).toBe(0);
    }
    expect(lookup(one, '2001:db8:1:2::5')).toBe('2001:db8:1:2::5/128');
    expect(lookup(one, '2001:db8:1:2::6')).toBe('2001:db8:1:2::/64');
    expect(lookup(one, '2001:db8:1:3::6')).toBe('2001:db8:1::/48');
    expect(lookup(one, '2001:db8:2::')).toBe('2001:db8::/32');
    expect(lookup(one, '2001:db9::')).toBe('::/0');
    expect(lookup(one, 'ffff::')).toBe('::/0');
    one.routes.remove(route(one.table, '::/0').destination, 0);
    expect(lookup(one, '2001:db9::')).toBeNull();
  });

  it('keeps link-local prefixes of several links apart', () => {
    const one = bed();
    expect(one.routes.add(route(one.table, 'fe80::/64', 1))).toBe(0);
    expect(one.routes.add(route(one.table, 'fe80::/64', 2))).toBe(0);
    const found = [1, 2, 3].map((zone) =>
      one.routes.lookup(one.table.internAddress(parseAddress('fe80::7') as Address6, zone)),
    );
    expect(found.map((each) => each?.iface.index)).toEqual([1, 2, undefined]);
  });

  it('refuses a second route of a prefix, bits behind the prefix, and more than the limit', () => {
    const one = bed(2);
    const before = one.epoch.value;
    expect(one.routes.add(route(one.table, '2001:db8::/32'))).toBe(0);
    expect(one.epoch.value).toBe(before + 1);
    expect(one.routes.add(route(one.table, '2001:db8::/32'))).toBe(-Errno.EEXIST);
    expect(one.routes.add(route(one.table, '2001:db8::1/64'))).toBe(-Errno.EINVAL);
    expect(one.routes.add(route(one.table, '2001:db8::/33'))).toBe(0);
    expect(one.routes.add(route(one.table, '2001:db8::/34'))).toBe(-Errno.ENOBUFS);
    expect([one.routes.count, one.refused()]).toEqual([2, 1]);
  });

  it('marks every address it keeps', () => {
    const one = bed();
    const gateway = one.table.internAddress(parseAddress('2001:db8::1') as Address6, 0);
    one.routes.add({ ...route(one.table, '::/0'), gateway });
    one.routes.add(route(one.table, 'fd00::/8'));
    const marked = new Set<number>();
    one.routes.markAddresses((address) => marked.add(address));
    expect([...marked].map((address) => (address === 0 ? '' : formatAddress(one.table.words(address)))).sort()).toEqual(
      ['', '2001:db8::1', '::', 'fd00::'],
    );
  });

  it('agrees with a search through all routes', () => {
    // Few different bits, so that prefixes nest and collide.
    const word = fc.constantFrom(0, 1, 0x80000000 | 0, 0xc0000000 | 0, -1);
    const prefix = fc.tuple(word, word, word, word, fc.integer({ min: 0, max: 128 }));
    const script = fc.array(fc.tuple(fc.boolean(), prefix), { maxLength: 60 });
    fc.assert(
      fc.property(script, fc.array(fc.tuple(word, word, word, word), { maxLength: 20 }), (steps, addresses) => {
        const one = bed(1000);
        const all = new Map<string, { words: Address6; length: number }>();
        for (const [add, [a, b, c, d, length]] of steps) {
          const masked = [a, b, c, d].map((w, i) => w & maskWord(length, i)) as unknown as Address6;
          const key = `${masked}/${length}`;
          const destination = one.table.internAddress(masked, 0);
          if (add) {
            const result = one.routes.add({ ...route(one.table, '::/0'), destination, prefixLength: length });
            expect(result).toBe(all.has(key) ? -Errno.EEXIST : 0);
            all.set(key, { words: masked, length });
          } else {
            expect(one.routes.remove(destination, length) !== null).toBe(all.delete(key));
          }
          expect(one.routes.count).toBe(all.size);
        }
        expect(one.routes.list()).toHaveLength(all.size);
        for (const words of addresses) {
          let best = -1;
          for (const { words: p, length } of all.values()) {
            const inside = p.every((w, i) => w === ((words[i] as number) & maskWord(length, i)));
            if (inside && length > best) best = length;
          }
          const found = one.routes.lookup(one.table.internAddress(words as Address6, 0));
          expect(found === null ? -1 : found.prefixLength).toBe(best);
        }
      }),
      { numRuns: 300 },
    );
  });
});
