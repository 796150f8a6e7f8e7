/** Routers and hosts find each other: each machine of it alone, second by second (RFC 4861 6, RFC 4191). */

import { describe, expect, it } from 'vitest';
import { type Address6, formatAddress, parseAddress } from '../../wire/ipv6-address.ts';
import { AdvertisedRoutes, PREFERENCE_HIGH, PREFERENCE_LOW, PREFERENCE_MEDIUM } from './autoconf/advertised-routes.ts';
import { OnLinkPrefixes } from './autoconf/on-link-prefixes.ts';
import { RouterAdvertiser } from './autoconf/router-advertiser.ts';
import { RouterSolicitor } from './autoconf/router-solicitor.ts';

const S = 1_000_000;
const ip6 = (text: string): Address6 => parseAddress(text) as Address6;
const ANY = ip6('::');
const A = ip6('fe80::a');
const B = ip6('fe80::b');
const C = ip6('fe80::c');
/** Every random wait is this part of the longest. */
const fixed = (part: number) => ({ next32: () => (part * 2 ** 32) | 0 });

/** Run a machine to `sec`; what it logged. */
function runTo(machine: { deadlineUs: number; run(nowUs: number): void }, sec: number): void {
  while (machine.deadlineUs <= sec * S) machine.run(machine.deadlineUs);
}

describe('Default routers (RFC 4861 6.3.4 to 6.3.6, RFC 4191 3)', () => {
  function table(maxRouters = 16, maxRoutes = 16): { routes: AdvertisedRoutes; log: string[] } {
    const log: string[] = [];
    const routes = new AdvertisedRoutes(
      {
        use: (one) => log.push(`${formatAddress(one.prefix)}/${one.prefixLength} ${formatAddress(one.router)}`),
        drop: (prefix, length) => log.push(`${formatAddress(prefix)}/${length} none`),
      },
      { maxRouters: () => maxRouters, maxRoutes: () => maxRoutes },
    );
    return { routes, log };
  }

  const hear = (routes: AdvertisedRoutes, router: Address6, sec: number, preference = PREFERENCE_MEDIUM, nowSec = 0) =>
    routes.advertise(ANY, 0, router, 1, sec * S, preference, nowSec * S);

  it('come, stay while they are advertised, and go: with their lifetime, or when they say so', () => {
    const { routes, log } = table();
    expect(hear(routes, A, 30)).toBe('used');
    hear(routes, A, 30, 0, 20);
    runTo(routes, 49);
    expect([log, routes.isDefaultRouter(A, 1), routes.isDefaultRouter(A, 2)]).toEqual([['::/0 fe80::a'], true, false]);
    runTo(routes, 50);
    expect(log.splice(0)).toEqual(['::/0 fe80::a', '::/0 none']);
    hear(routes, B, 30);
    expect(hear(routes, B, 0)).toBe('used');
    expect(hear(routes, C, 0)).toBe('ignored');
    expect([log, routes.deadlineUs]).toEqual([['::/0 fe80::b', '::/0 none'], Infinity]);
  });

  it('the one in use is kept; when it goes, the next one is used', () => {
    const { routes, log } = table();
    for (const router of [A, B, C]) hear(routes, router, 100);
    hear(routes, A, 0);
    hear(routes, A, 100);
    hear(routes, B, 0);
    expect(log).toEqual(['::/0 fe80::a', '::/0 fe80::b', '::/0 fe80::c']);
  });

  it('preferred ones are used, whenever they come', () => {
    const { routes, log } = table();
    hear(routes, A, 100, PREFERENCE_LOW);
    hear(routes, B, 100, PREFERENCE_HIGH);
    hear(routes, C, 100, PREFERENCE_MEDIUM);
    hear(routes, B, 100, PREFERENCE_LOW);
    expect(log).toEqual(['::/0 fe80::a', '::/0 fe80::b', '::/0 fe80::c']);
  });

  it('one that does not answer is left for one that may, even of less preference, until it is heard again', () => {
    const { routes, log } = table();
    hear(routes, A, 100, PREFERENCE_HIGH);
    hear(routes, B, 100);
    routes.unreachable(A, 1);
    routes.reachable(A, 1);
    routes.unreachable(A, 1);
    hear(routes, A, 100, PREFERENCE_HIGH);
    expect(log).toEqual(['::/0 fe80::a', '::/0 fe80::b', '::/0 fe80::a', '::/0 fe80::b', '::/0 fe80::a']);
  });

  it('when none answers, all take turns', () => {
    const { routes, log } = table();
    for (const router of [A, B, C]) hear(routes, router, 100);
    for (const router of [A, B, C, A, B]) routes.unreachable(router, 1);
    expect(log.map((line) => line.slice(-1))).toEqual(['a', 'b', 'c', 'a', 'b', 'c']);
    routes.reachable(B, 1);
    expect(routes.list.find((one) => one.chosen)?.router).toEqual(B);
  });

  it('more specific routes are each chosen by themselves', () => {
    const { routes, log } = table();
    const net = ip6('2001:db8:7::');
    hear(routes, A, 100);
    routes.advertise(net, 48, B, 1, 50 * S, PREFERENCE_LOW, 0);
    routes.advertise(net, 48, C, 1, 40 * S, PREFERENCE_HIGH, 0);
    runTo(routes, 60);
    expect(log).toEqual([
      '::/0 fe80::a',
      '2001:db8:7::/48 fe80::b',
      '2001:db8:7::/48 fe80::c',
      '2001:db8:7::/48 fe80::b',
      '2001:db8:7::/48 none',
    ]);
  });

  it('keep to their limits', () => {
    const { routes } = table(2, 1);
    expect([A, B, C].map((router) => hear(routes, router, 9))).toEqual(['used', 'used', 'too-many']);
    const specific = (n: number) => routes.advertise([n, 0, 0, 0], 32, A, 1, S, 0, 0);
    expect([specific(1), specific(2)]).toEqual(['used', 'too-many']);
  });

  it('are forgotten with their interface, or when they turn out to be hosts (RFC 4861 7.2.5)', () => {
    const { routes, log } = table();
    hear(routes, A, 100);
    routes.advertise(ANY, 0, A, 2, 100 * S, 0, 0);
    hear(routes, B, 100);
    routes.forget(1, A);
    routes.forget(1);
    expect(routes.list.map((one) => one.interfaceIndex)).toEqual([2]);
    routes.forget(2);
    expect(log.at(-1)).toBe('::/0 none');
  });
});

const DETAILS = { preferredUs: S, autonomous: true, router: A };

describe('Prefixes on the link (RFC 4861 6.3.4)', () => {
  function table(limit = 16): { prefixes: OnLinkPrefixes; log: string[] } {
    const log: string[] = [];
    const prefixes = new OnLinkPrefixes(
      {
        added: (one) => log.push(`+${formatAddress(one.prefix)}/${one.prefixLength}`) * 0,
        removed: (one) => log.push(`-${formatAddress(one.prefix)}/${one.prefixLength}`),
      },
      () => limit,
    );
    return { prefixes, log };
  }

  it('come and go', () => {
    const { prefixes, log } = table();
    const say = (sec: number, nowSec: number) =>
      prefixes.advertise(ip6('2001:db8::'), 64, 1, sec * S, nowSec * S, DETAILS);
    expect(say(0, 0)).toBe('ignored');
    say(100, 0);
    say(50, 60);
    runTo(prefixes, 109);
    expect(log).toEqual(['+2001:db8::/64']);
    runTo(prefixes, 110);
    say(Infinity, 200);
    expect(prefixes.deadlineUs).toBe(Infinity);
    say(0, 300);
    expect(log).toEqual(['+2001:db8::/64', '-2001:db8::/64', '+2001:db8::/64', '-2001:db8::/64']);
  });

  it('are not those that are always on the link, nor too many', () => {
    const { prefixes, log } = table(1);
    expect(prefixes.advertise(ip6('fe80::'), 64, 1, S, 0, DETAILS)).toBe('ignored');
    expect(prefixes.advertise(ip6('2001:db8::'), 129, 1, S, 0, DETAILS)).toBe('ignored');
    expect(prefixes.advertise(ip6('2001:db8::'), 64, 1, S, 0, DETAILS)).toBe('used');
    expect(prefixes.advertise(ip6('2001:db8:1::'), 64, 1, S, 0, DETAILS)).toBe('too-many');
    expect(prefixes.advertise(ip6('2001:db8:1::'), 64, 2, S, 0, DETAILS)).toBe('used');
    prefixes.forget(1);
    expect(log).toEqual(['+2001:db8::/64', '+2001:db8:1::/64', '-2001:db8::/64']);
  });
});

describe('Router solicitations (RFC 4861 6.3.7)', () => {
  function solicitor(): { machine: RouterSolicitor; sent: number[] } {
    const sent: number[] = [];
    return { machine: new RouterSolicitor(fixed(0.25), (nowUs) => sent.push(nowUs / S)), sent };
  }

  it('are sent within a second, then every four, three in all', () => {
    const { machine, sent } = solicitor();
    machine.start(10 * S);
    runTo(machine, 100);
    expect(sent).toEqual([10.25, 14.25, 18.25]);
  });

  it('end with the first advertisement', () => {
    const { machine, sent } = solicitor();
    machine.start(0);
    runTo(machine, 1);
    machine.advertised();
    runTo(machine, 100);
    expect(sent).toEqual([0.25]);
  });

  it('one is sent although a router advertised itself before', () => {
    const { machine, sent } = solicitor();
    machine.start(0);
    machine.advertised();
    runTo(machine, 100);
    expect(sent).toEqual([0.25]);
  });

  it('begin anew when the interface does', () => {
    const { machine, sent } = solicitor();
    machine.start(0);
    machine.stop();
    machine.start(20 * S);
    runTo(machine, 21);
    expect(sent).toEqual([20.25]);
  });
});

describe('Router advertisements (RFC 4861 6.2)', () => {
  function advertiser(part = 0.5, maxSec = 600): { machine: RouterAdvertiser; sent: string[] } {
    const sent: string[] = [];
    const send = (final: boolean, nowUs: number) => sent.push(`${final ? 'final ' : ''}${nowUs / S}`);
    return { machine: new RouterAdvertiser(fixed(part), send, () => maxSec * S), sent };
  }

  it('are frequent at first, then at random times of the interval', () => {
    const { machine, sent } = advertiser();
    machine.start(0);
    runTo(machine, 1000);
    expect(sent).toEqual(['0', '16', '32', '48', '447', '846']);
  });

  it('with a short interval are as frequent as that', () => {
    const { machine, sent } = advertiser(0.5, 4);
    machine.start(0);
    runTo(machine, 16);
    expect(sent).toEqual(['0', '4', '8', '12', '16']);
  });

  it('answer within half a second, but three seconds after the last one', () => {
    const { machine, sent } = advertiser(0.5);
    machine.start(0);
    runTo(machine, 1);
    machine.solicited(1 * S);
    machine.solicited(1.2 * S);
    runTo(machine, 9);
    machine.solicited(9 * S);
    machine.solicited(9.1 * S);
    runTo(machine, 18);
    expect(sent).toEqual(['0', '3.25', '9.25']);
  });

  it('an answer that would come after the next one is that one', () => {
    const { machine, sent } = advertiser(1 - 2 ** -32, 4);
    machine.start(0);
    runTo(machine, 3.9);
    machine.solicited(3.9 * S);
    runTo(machine, 5);
    expect(sent).toEqual(['0', '4']);
  });

  it('end with three that take everything back', () => {
    const { machine, sent } = advertiser();
    machine.start(0);
    runTo(machine, 10);
    machine.stop(10 * S);
    machine.solicited(11 * S);
    runTo(machine, 1000);
    expect([sent, machine.active]).toEqual([['0', 'final 10', 'final 13', 'final 16'], false]);
    machine.stop(1000 * S);
    machine.start(1001 * S);
    machine.stop(1001 * S);
    runTo(machine, 2000);
    expect(sent).toHaveLength(4);
  });
});
