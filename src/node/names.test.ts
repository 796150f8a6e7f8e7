import { describe, expect, it } from 'vitest';
import { LOOPBACK } from './address.ts';
import { StaticNames } from './names.ts';

describe('names', () => {
  const names = new StaticNames({ api: '10.0.0.2', db: ['10.0.1.2', '10.0.2.2'], 'API.shop.lan': '10.0.0.2' });

  it('are found in any case, with or without the final dot, in their order', () => {
    expect(names.lookup('API')).toEqual([0x0a000002]);
    expect(names.lookup('db.')).toEqual([0x0a000102, 0x0a000202]);
    expect(names.lookup('nobody')).toEqual([]);
  });

  it('have localhost', () => {
    expect(names.lookup('localhost')).toEqual([LOOPBACK]);
    expect(new StaticNames({ localhost: '127.0.0.2' }).lookup('localhost')).toEqual([0x7f000002]);
  });

  it('are found by address', () => {
    expect(names.reverse(0x0a000002)).toEqual(['api', 'api.shop.lan']);
    expect(names.reverse(0)).toEqual([]);
  });

  it('can be made again from their entries', () => {
    expect(new StaticNames(names.entries()).entries()).toEqual(names.entries());
  });

  it('have addresses and nothing else', () => {
    expect(() => new StaticNames({ api: '10.0.0.256' })).toThrow('api: not an IPv4 address: 10.0.0.256');
  });
});
