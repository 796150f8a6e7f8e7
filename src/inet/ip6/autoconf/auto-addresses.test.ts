/** Addresses that a host makes from advertised prefixes, second by second (RFC 4862 5.5, RFC 7217, RFC 8981). */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SeededRng } from '../../../base/rng.ts';
import { type Address6, formatAddress, parseAddress } from '../../../wire/ipv6-address.ts';
import { AutoAddresses, type AutoAddressSettings, type PrefixVerdict } from './auto-addresses.ts';

const S = 1_000_000;
const HOUR = 3600;
const DAY = 24 * HOUR;
const ip6 = (text: string): Address6 => parseAddress(text) as Address6;

/** One interface; stable identifiers are ::a, ::b, ... by attempt. */
class Host {
  readonly log: string[] = [];
  refused = 0;
  readonly settings: AutoAddressSettings & { temporary: boolean; limit: number } = {
    temporary: false,
    limit: 16,
    stableId: (_, attempt) => [0, 10 + attempt],
    maxAddresses: () => this.settings.limit,
    useTemporary: () => this.settings.temporary,
    temporaryValidUs: () => 2 * DAY * S,
    temporaryPreferredUs: () => DAY * S,
    detectionUs: () => 1 * S,
  };
  nowUs = 0;
  router: Address6 = ip6('fe80::1');
  /** Random words: 0 makes the desynchronisation 0; identifiers must not be 0. */
  readonly words: number[] = [];
  readonly auto: AutoAddresses;

  constructor() {
    const rng = { next32: () => this.words.shift() ?? 0x55 };
    const say = (what: string, address: Address6): void => {
      this.log.push(`${this.nowUs / S}s ${what} ${formatAddress(address)}`);
    };
    this.auto = new AutoAddresses(
      rng,
      {
        add: (address, length, temporary) => {
          expect(length).toBe(64);
          say(temporary ? 'temporary' : 'add', address);
          return this.refused;
        },
        deprecate: (address, deprecated) => say(deprecated ? 'deprecate' : 'prefer', address),
        remove: (address) => say('remove', address),
      },
      this.settings,
    );
  }

  /** Decisions made until `sec`. */
  until(sec: number): string[] {
    while (this.auto.deadlineUs <= sec * S) {
      this.nowUs = this.auto.deadlineUs;
      this.auto.run(this.nowUs);
    }
    this.nowUs = sec * S;
    return this.log.splice(0);
  }

  advertise(validSec: number, preferredSec: number, text = '2001:db8::', prefixLength = 64): PrefixVerdict {
    const times = { validUs: validSec * S, preferredUs: preferredSec * S };
    return this.auto.prefix({ prefix: ip6(text), prefixLength, ...times, router: this.router }, this.nowUs);
  }

  /** Seconds until the stable address is invalid and deprecated. */
  left(): [number, number] {
    const [one] = this.auto.list;
    return [(one!.validUntilUs - this.nowUs) / S, (one!.preferredUntilUs - this.nowUs) / S];
  }
}

describe('Stateless autoconfiguration (RFC 4862 5.5)', () => {
  it('makes an address, deprecates it, removes it', () => {
    const host = new Host();
    expect(host.advertise(100, 60)).toBe('used');
    expect(host.until(200)).toEqual(['0s add 2001:db8::a', '60s deprecate 2001:db8::a', '100s remove 2001:db8::a']);
    expect([host.auto.list, host.auto.deadlineUs]).toEqual([[], Infinity]);
  });

  it('prefers it again when it is advertised again, and keeps it while it is', () => {
    const host = new Host();
    host.advertise(100, 60);
    host.until(70);
    host.advertise(100, 60);
    expect(host.until(120)).toEqual(['70s prefer 2001:db8::a']);
    host.advertise(Infinity, Infinity);
    expect([host.until(1000 * DAY), host.auto.deadlineUs]).toEqual([[], Infinity]);
  });

  it.each<[string, number, number, string, number]>([
    ['c: preferred longer than valid', 50, 60, '2001:db8::', 64],
    ['b: link-local', 100, 60, 'fe80::', 64],
    ['multicast', 100, 60, 'ff02::', 64],
    ['d: not 64 bits', 100, 60, '2001:db8::', 63],
    ['d: dead already', 0, 0, '2001:db8::', 64],
  ])('ignores a prefix: %s', (_, valid, preferred, prefix, length) => {
    const host = new Host();
    expect(host.advertise(valid, preferred, prefix, length)).toBe('ignored');
    expect(host.log).toEqual([]);
  });

  it.each<[string, number, number, number]>([
    // Lifetime left, lifetime advertised, lifetime left then (RFC 4862 5.5.3 e).
    ['more than two hours', 3 * HOUR, 2 * HOUR + 1, 2 * HOUR + 1],
    ['more than is left', 100, 200, 200],
    ['less, and less than two hours are left', 2 * HOUR, 60, 2 * HOUR],
    ['nothing, and less than two hours are left', HOUR, 0, HOUR],
    ['nothing, and more are left', 5 * HOUR, 0, 2 * HOUR],
    ['less than two hours, and more are left', 5 * HOUR, HOUR, 2 * HOUR],
    ['the same', 5 * HOUR, 5 * HOUR, 5 * HOUR],
  ])('two-hour rule: %s', (_, before, advertised, after) => {
    const host = new Host();
    host.advertise(before, 50);
    host.advertise(advertised, 0);
    expect(host.left()).toEqual([after, 0]);
    expect(host.log).toEqual(['0s add 2001:db8::a', '0s deprecate 2001:db8::a']);
  });

  it('keeps to its limit, and to what the sink takes', () => {
    const host = new Host();
    host.settings.limit = 2;
    const verdicts = [1, 2, 3].map((n) => host.advertise(100, 60, `2001:db8:0:${n}::`));
    expect([verdicts, host.auto.list.length]).toEqual([['used', 'used', 'too-many'], 2]);
    host.until(200);
    host.refused = -17;
    expect([host.advertise(100, 60), host.auto.list.length]).toEqual(['ignored', 0]);
  });

  it('remembers which routers advertised its prefix, the last eight', () => {
    const host = new Host();
    for (const n of [1, 2, 1, 3, 4, 5, 6, 7, 8, 9]) {
      host.router = ip6(`fe80::${n}`);
      host.advertise(100, 60);
    }
    const routers = host.auto.list[0]!.routers.map(formatAddress);
    expect(routers).toEqual([1, 3, 4, 5, 6, 7, 8, 9].map((n) => `fe80::${n}`));
  });

  it('gives everything up at once', () => {
    const host = new Host();
    host.advertise(100, 60);
    host.auto.clear();
    expect(host.until(200)).toEqual(['0s add 2001:db8::a', '0s remove 2001:db8::a']);
  });
});

describe('Duplicates (RFC 7217 6)', () => {
  it('another identifier is tried a second later, three times', () => {
    const host = new Host();
    host.advertise(1000, 600);
    const log: string[] = [];
    for (const sec of [10, 20, 30, 40, 2000]) {
      host.auto.duplicate(host.auto.list[0]!.address, host.nowUs);
      log.push(...host.until(sec));
    }
    expect(log).toEqual([
      '0s add 2001:db8::a',
      '0s remove 2001:db8::a',
      '1s add 2001:db8::b',
      '10s remove 2001:db8::b',
      '11s add 2001:db8::c',
      '20s remove 2001:db8::c',
      '21s add 2001:db8::d',
      '30s remove 2001:db8::d',
    ]);
    expect(host.auto.list).toEqual([]);
  });

  it('none is tried where identifiers come from hardware', () => {
    const host = new Host();
    host.settings.stableId = (_, attempt) => (attempt === 0 ? [1, 1] : null);
    host.advertise(Infinity, Infinity);
    host.auto.duplicate(ip6('2001:db8::1:0:1'), 0);
    host.auto.duplicate(host.auto.list[0]!.address, 0);
    host.advertise(Infinity, Infinity);
    expect(host.until(10 * DAY)).toEqual(['0s add 2001:db8::1:0:1', '0s remove 2001:db8::1:0:1']);
  });
});

describe('Temporary addresses (RFC 8981)', () => {
  function host(...words: number[]): Host {
    const one = new Host();
    one.settings.temporary = true;
    one.words.push(...words);
    return one;
  }

  it('live two days, are preferred for one, and are followed five seconds before that ends', () => {
    const one = host(0, 1, 1, 0, 2, 2, 0, 3, 3);
    one.advertise(10 * DAY, 9 * DAY);
    expect(one.until(2 * DAY)).toEqual([
      '0s add 2001:db8::a',
      '0s temporary 2001:db8::1:0:1',
      `${DAY - 5}s temporary 2001:db8::2:0:2`,
      `${DAY}s deprecate 2001:db8::1:0:1`,
      `${2 * DAY - 10}s temporary 2001:db8::3:0:3`,
      `${2 * DAY - 5}s deprecate 2001:db8::2:0:2`,
      `${2 * DAY}s remove 2001:db8::1:0:1`,
    ]);
  });

  it('are preferred for less by a random part of up to two fifths', () => {
    const one = host(0x80000000 | 0, 1, 1);
    one.advertise(10 * DAY, 9 * DAY);
    expect(one.auto.list[1]!.preferredUntilUs).toBe(0.8 * DAY * S);
  });

  it('live no longer than their prefix, and are not made when that is about to be deprecated', () => {
    const one = host(0, 1, 1);
    one.advertise(100, 60);
    expect(one.until(200).slice(1)).toEqual([
      '0s temporary 2001:db8::1:0:1',
      '60s deprecate 2001:db8::a',
      '60s deprecate 2001:db8::1:0:1',
      '100s remove 2001:db8::a',
      '100s remove 2001:db8::1:0:1',
    ]);
    const short = host();
    short.advertise(100, 5);
    expect(short.until(200).filter((line) => line.includes('temporary'))).toEqual([]);
  });

  it('are not prolonged beyond their own limits by advertisements', () => {
    const one = host(0, 1, 1, 0, 2, 2, 0, 3, 3, 0, 4, 4);
    for (let sec = 0; sec < 3 * DAY; sec += 600) {
      one.until(sec);
      one.advertise(DAY, DAY / 2);
      const temporary = one.auto.list.filter((entry) => entry.temporary);
      for (const { createdUs, validUntilUs, preferredUntilUs } of temporary) {
        expect(validUntilUs - createdUs).toBeLessThanOrEqual(2 * DAY * S);
        expect(preferredUntilUs - createdUs).toBeLessThanOrEqual(DAY * S);
      }
      expect(temporary.filter((entry) => !entry.deprecated).length).toBeGreaterThan(0);
      expect(temporary.length).toBeLessThanOrEqual(3);
    }
  });

  it('are replaced at once when they are in use elsewhere, three times', () => {
    const one = host(0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5);
    one.advertise(DAY, DAY);
    for (let i = 0; i < 6; i++) one.auto.duplicate(one.auto.list[1]!.address, 0);
    one.advertise(DAY, DAY);
    expect(one.log.filter((line) => line.includes('temporary'))).toHaveLength(4);
    expect(one.log.filter((line) => line.includes('remove'))).toHaveLength(4);
  });

  it('come with the next advertisement when they are switched on, and end in their time when switched off', () => {
    const one = host(0, 1, 1);
    one.settings.temporary = false;
    one.advertise(10 * DAY, 10 * DAY);
    one.settings.temporary = true;
    expect(one.until(1)).toHaveLength(1);
    one.advertise(10 * DAY, 10 * DAY);
    expect(one.until(2)).toEqual(['1s temporary 2001:db8::1:0:1']);
    one.settings.temporary = false;
    expect(one.until(3 * DAY)).toEqual([
      `${DAY + 1}s deprecate 2001:db8::1:0:1`,
      `${2 * DAY + 1}s remove 2001:db8::1:0:1`,
    ]);
  });
});

describe('Whatever routers say', () => {
  it('the sink has what the list has, within the limit, and everything ends', () => {
    const event = fc.record({
      prefix: fc.nat(3),
      valid: fc.nat(3 * HOUR),
      preferred: fc.nat(3 * HOUR),
      duplicate: fc.boolean(),
      wait: fc.nat(2 * HOUR),
    });
    fc.assert(
      fc.property(fc.array(event, { maxLength: 30 }), fc.nat(), (events, seed) => {
        const has = new Map<string, boolean>();
        const rng = new SeededRng(seed);
        const one = new Host();
        const auto = new AutoAddresses(
          rng,
          {
            add: (address) => {
              has.set(formatAddress(address), false);
              return 0;
            },
            deprecate: (address, deprecated) => void has.set(formatAddress(address), deprecated),
            remove: (address) => expect(has.delete(formatAddress(address))).toBe(true),
          },
          { ...one.settings, maxAddresses: () => 5, useTemporary: () => true },
        );
        let nowUs = 0;
        const run = (toUs: number): void => {
          while (auto.deadlineUs <= toUs) auto.run(auto.deadlineUs);
          nowUs = toUs;
        };
        for (const { prefix, valid, preferred, duplicate, wait } of events) {
          run(nowUs + wait * S);
          const words: Address6 = [0x20010db8, prefix, 0, 0];
          const times = { validUs: valid * S, preferredUs: preferred * S };
          auto.prefix({ prefix: words, prefixLength: 64, ...times, router: words }, nowUs);
          const first = auto.list[0];
          if (duplicate && first !== undefined) auto.duplicate(first.address, nowUs);
          const listed = auto.list.filter((entry) => entry.configured);
          expect(new Map(listed.map((entry) => [formatAddress(entry.address), entry.deprecated]))).toEqual(has);
          expect(auto.list.length).toBeLessThanOrEqual(5);
          expect(auto.deadlineUs).toBeGreaterThan(nowUs);
        }
        run(nowUs + 10 * DAY * S);
        expect([has.size, auto.list.length, auto.deadlineUs]).toEqual([0, 0, Infinity]);
      }),
    );
  });
});
