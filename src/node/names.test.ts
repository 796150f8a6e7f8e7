import { describe, expect, it } from 'vitest';
import { StaticNames } from './names.ts';

describe('names', () => {
  const names = new StaticNames({
    api: '10.0.0.2',
    db: ['10.0.1.2', 'FD00:0::2', 'fe80::2%eth0'],
    'API.shop.lan': '10.0.0.2',
  });

  it('are found in any case, with or without the final dot, in their order', () => {
    expect(names.lookup('API')).toEqual(['10.0.0.2']);
    expect(names.lookup('db.')).toEqual(['10.0.1.2', 'fd00::2', 'fe80::2%eth0']);
    expect(names.lookup('nobody')).toEqual([]);
  });

  it('have localhost', () => {
    expect(names.lookup('localhost')).toEqual(['127.0.0.1', '::1']);
    expect(new StaticNames({ localhost: '127.0.0.2' }).lookup('localhost')).toEqual(['127.0.0.2']);
  });

  it.each(['a.localhost', 'A.b.LocalHost.', 'localhost.localdomain', 'x.localhost.localdomain'])(
    'below localhost are this machine: %s',
    (name) => {
      expect(names.lookup(name)).toEqual(['127.0.0.1', '::1']);
      expect(new StaticNames({ localhost: '127.0.0.2' }).lookup(name)).toEqual(['127.0.0.2']);
      expect(new StaticNames({ [name]: '10.0.0.9' }).lookup(name)).toEqual(['10.0.0.9']);
    },
  );

  it.each(['.localhost', 'a..localhost', 'localhost..', 'alocalhost', 'localhost.test', 'localdomain'])(
    'beside it are not: %s',
    (name) => expect(names.lookup(name)).toEqual([]),
  );

  it('are found by address', () => {
    expect(names.reverse('10.0.0.2')).toEqual(['api', 'api.shop.lan']);
    expect(names.reverse('fd00::2')).toEqual(['db']);
    expect(names.reverse('fe80::2')).toEqual(['db']);
    expect(names.reverse('0.0.0.0')).toEqual([]);
  });

  it('can be made again from their entries', () => {
    expect(new StaticNames(names.entries()).entries()).toEqual(names.entries());
  });

  it('have addresses and nothing else', () => {
    expect(() => new StaticNames({ api: '10.0.0.256' })).toThrow('api: not an address: 10.0.0.256');
  });
});
