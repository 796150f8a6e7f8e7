import { describe, expect, it } from 'vitest';
import { Errno } from '../base/errors.ts';
import { Sysctl } from './sysctl.ts';

describe('Sysctl', () => {
  it('declares once, reads through the variable, sets within the range', () => {
    const sysctl = new Sysctl();
    const ttl = sysctl.integer('net.inet.ip.ttl', 64, 1, 255, 'default TTL');
    expect(sysctl.integer('net.inet.ip.ttl', 32, 1, 255, 'again')).toBe(ttl);
    expect(sysctl.set('net.inet.ip.ttl', 33)).toBe(0);
    expect(ttl.value).toBe(33);
    expect(sysctl.set('net.inet.ip.ttl', 0)).toBe(-Errno.EINVAL);
    expect(sysctl.set('net.inet.ip.ttl', 1.5)).toBe(-Errno.EINVAL);
    expect(sysctl.set('net.inet.ip.tll', 1)).toBe(-Errno.ENOENT);
    expect(ttl.value).toBe(33);
  });

  it('tells the owner of a change, and refuses to change a constant', () => {
    const sysctl = new Sysctl();
    const seen: number[] = [];
    sysctl.toggle('net.inet.ip.forwarding', false, 'act as a router').onChange = (value) => seen.push(value);
    sysctl.set('net.inet.ip.forwarding', 1);
    expect(seen).toEqual([1]);
    sysctl.constant('net.inet.ip.version', 4, '');
    expect(sysctl.set('net.inet.ip.version', 6)).toBe(-Errno.EPERM);
  });

  it('lists one name, a node, or everything', () => {
    const sysctl = new Sysctl();
    for (const name of ['net.inet.ip.ttl', 'net.inet.ip.forwarding', 'net.inet.ipx.ttl', 'net.inet.arp.keep']) {
      sysctl.toggle(name, false, '');
    }
    const names = (node: string): string[] => sysctl.list(node).map((variable) => variable.name);
    expect(names('net.inet.ip')).toEqual(['net.inet.ip.forwarding', 'net.inet.ip.ttl']);
    expect(names('net.inet.ip.ttl')).toEqual(['net.inet.ip.ttl']);
    expect(names('')).toHaveLength(4);
  });
});
