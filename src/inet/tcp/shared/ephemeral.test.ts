import { describe, expect, it } from 'vitest';
import { PEER } from '../../../../test/fixtures/capturing-ip.ts';
import { Transcript } from '../../../../test/fixtures/tcp-transcript.ts';
import { SeededRng } from '../../../base/rng.ts';
import { Sysctl } from '../../../kern/sysctl.ts';
import * as user from '../user.ts';
import { EphemeralPorts } from './ephemeral.ts';

const FIRST = 50_000;
const COUNT = 1000;
const LOCAL = 0x0a000001;

function make(algorithm: number, seed: number = 1): (peer: number, port: number, taken?: Set<number>) => number {
  const sysctl = new Sysctl();
  const ports = new EphemeralPorts(new SeededRng(seed), sysctl);
  sysctl.set('net.inet.tcp.anonportalgo', algorithm);
  return (peer, port, taken = new Set()) => ports.choose(FIRST, COUNT, LOCAL, peer, port, (one) => !taken.has(one));
}

describe.each([1, 2, 3, 4])('algorithm %i of RFC 6056', (algorithm) => {
  it('stays in the range, finds the last free port, and knows when there is none', () => {
    const choose = make(algorithm);
    for (let i = 0; i < 3000; i++) {
      const port = choose(i % 7, 80);
      expect(port >= FIRST && port < FIRST + COUNT).toBe(true);
    }
    const taken = new Set(Array.from({ length: COUNT }, (_, i) => FIRST + i));
    expect(choose(1, 80, taken)).toBe(-1);
    taken.delete(FIRST + 123);
    expect(choose(1, 80, taken)).toBe(FIRST + 123);
  });

  it('cannot be told from outside: other kernels choose otherwise', () => {
    const firsts = new Set(Array.from({ length: 20 }, (_, seed) => make(algorithm, seed)(9, 80)));
    expect(firsts.size).toBeGreaterThan(15);
  });
});

describe('the double hash (RFC 6056 3.3.4)', () => {
  it('goes round all ports before one comes again for the same destination', () => {
    const choose = make(4);
    const seen = new Set(Array.from({ length: COUNT }, () => choose(9, 80)));
    expect(seen.size).toBe(COUNT);
  });

  it('has a sequence of its own for each destination', () => {
    const choose = make(4);
    const starts = Array.from({ length: 20 }, (_, peer) => choose(peer, 80));
    expect(new Set(starts).size).toBeGreaterThan(15);
    // The single hash shares one counter: consecutive numbers when the same destination alternates with others.
    const [a, b] = [choose(100, 80), choose(100, 81)];
    expect(choose(100, 80)).toBe(FIRST + ((a - FIRST + 1) % COUNT));
    expect(choose(100, 81)).toBe(FIRST + ((b - FIRST + 1) % COUNT));
  });
});

describe('connect', () => {
  it('comes back to a port whose connection is in TIME_WAIT only after all others', () => {
    const t = new Transcript();
    t.sysctl.set('net.inet.ip.anonportmin', 60_000);
    t.sysctl.set('net.inet.ip.anonportmax', 60_009);
    const ports: number[] = [];
    for (let i = 0; i < 10; i++) {
      t.connect();
      t.send('S. seq 0 ack 1 mss 1460');
      ports.push(t.c.localPort);
      t.close();
      t.send('F. seq 1 ack 2');
      expect(t.stack.timeWait.count).toBe(i + 1);
      t.send('. seq 2 ack 2');
    }
    expect(new Set(ports).size).toBe(10);
    // Timestamps were not agreed on, so none of them may be taken over (RFC 6191).
    expect(t.connect()).toBe('EADDRNOTAVAIL');
  });

  it('shares a port with connections to other peers, not with a socket that was bound to it, nor with a listener', () => {
    const t = new Transcript();
    t.sysctl.set('net.inet.ip.anonportmin', 60_000);
    t.sysctl.set('net.inet.ip.anonportmax', 60_001);
    expect(typeof user.bindPort(t.stack, 0, 60_000, { reuseAddress: true, reusePort: true })).toBe('object');
    const owner = { onReadable() {}, onWritable() {}, onConnected() {}, onSent() {}, onError() {} };
    const to = (peer: number): number => {
      const c = user.connectTo(t.stack, null, peer, 80, t.stack.newOptions(), owner, t.nowUs);
      return typeof c === 'number' ? c : c.localPort;
    };
    expect(to(PEER)).toBe(60_001);
    expect(to(PEER + 1)).toBe(60_001);
    expect(to(PEER)).toBeLessThan(0);
  });
});
