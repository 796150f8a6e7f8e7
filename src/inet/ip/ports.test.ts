import { describe, expect, it } from 'vitest';
import { Errno } from '../../base/errors.ts';
import { SeededRng } from '../../base/rng.ts';
import { Sysctl } from '../../kern/sysctl.ts';
import { type PortBinding, PortTable } from './ports.ts';

const A = 0x0a000001;
const B = 0x0a000002;

const rng = new SeededRng(1);

function binding(address: number, port: number, reuse = ''): PortBinding {
  return { address, only6: false, port, reuseAddress: reuse.includes('a'), reusePort: reuse.includes('p') };
}

function table(): { ports: PortTable; sysctl: Sysctl } {
  const sysctl = new Sysctl();
  return { ports: new PortTable(sysctl), sysctl };
}

describe('PortTable', () => {
  it('refuses a port in use on the same or any address', () => {
    const { ports } = table();
    expect(ports.bind(binding(A, 80), rng)).toBe(0);
    expect(ports.bind(binding(A, 80), rng)).toBe(-Errno.EADDRINUSE);
    expect(ports.bind(binding(0, 80), rng)).toBe(-Errno.EADDRINUSE);
    expect(ports.bind(binding(B, 80), rng)).toBe(0);
    expect(ports.bind(binding(A, 81), rng)).toBe(0);
  });

  it('shares a port when both sides reuse address or port', () => {
    const { ports } = table();
    expect(ports.bind(binding(0, 53, 'a'), rng)).toBe(0);
    expect(ports.bind(binding(A, 53), rng)).toBe(-Errno.EADDRINUSE);
    expect(ports.bind(binding(A, 53, 'p'), rng)).toBe(-Errno.EADDRINUSE);
    expect(ports.bind(binding(A, 53, 'a'), rng)).toBe(0);
    expect(ports.bind(binding(0, 54, 'p'), rng)).toBe(0);
    expect(ports.bind(binding(0, 54, 'p'), rng)).toBe(0);
  });

  it('lets the protocol decide who may share', () => {
    const { ports } = table();
    expect(ports.bind(binding(0, 80, 'a'), rng)).toBe(0);
    expect(ports.bind(binding(0, 80, 'a'), rng, () => false)).toBe(-Errno.EADDRINUSE);
    expect(ports.bind(binding(0, 80), rng, () => true)).toBe(0);
  });

  it('frees a port when its last binding goes', () => {
    const { ports } = table();
    const first = binding(A, 80);
    const second = binding(B, 80);
    ports.bind(first, rng);
    ports.bind(second, rng);
    ports.release(first);
    expect(ports.has(80)).toBe(true);
    ports.release(second);
    ports.release(second);
    expect(ports.has(80)).toBe(false);
    expect(ports.bind(binding(0, 80), rng)).toBe(0);
  });

  it('chooses ephemeral ports at random within the range, until none is left (RFC 6056)', () => {
    const { ports, sysctl } = table();
    sysctl.set('net.inet.ip.anonportmin', 50000);
    sysctl.set('net.inet.ip.anonportmax', 50009);
    const chosen: number[] = [];
    for (let i = 0; i < 10; i++) {
      const one = binding(0, 0);
      expect(ports.bind(one, rng)).toBe(0);
      chosen.push(one.port);
    }
    expect([...chosen].sort()).toEqual(Array.from({ length: 10 }, (_, i) => 50000 + i));
    expect(chosen).not.toEqual([...chosen].sort());
    expect(ports.bind(binding(0, 0), rng)).toBe(-Errno.EADDRINUSE);
  });

  it('stays in 49152-65535 by default', () => {
    const { ports } = table();
    for (let i = 0; i < 1000; i++) {
      const port = ports.chooseEphemeral(rng, () => true);
      expect(port >= 49152 && port <= 65535).toBe(true);
    }
  });
});
