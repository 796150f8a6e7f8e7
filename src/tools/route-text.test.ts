import { describe, expect, it } from 'vitest';
import * as iface from '../net/interface.ts';
import * as route from '../net/route.ts';
import { RTF_CONNECTED, RTF_GATEWAY, RTF_HOST, RTF_LOCAL, RTF_STATIC, RTF_UP } from '../net/route.ts';
import { flagNames } from './interface-text.ts';
import { ROUTE_FLAGS, routeFlagLetters } from './route-text.ts';

describe('routeFlagLetters', () => {
  it('prints the letters of netstat in its order', () => {
    expect(routeFlagLetters(RTF_UP | RTF_GATEWAY | RTF_STATIC)).toBe('UGS');
    expect(routeFlagLetters(RTF_UP | RTF_CONNECTED)).toBe('UC');
    expect(routeFlagLetters(RTF_LOCAL | RTF_HOST | RTF_UP)).toBe('UHl');
  });
});

/** Constants of a module with a prefix, as [value, rest of the name]. */
function numbered(module: object, prefix: string): [number, string][] {
  return Object.entries(module)
    .filter(([name]) => name.startsWith(prefix))
    .map(([name, value]) => [value as number, name.slice(prefix.length)]);
}

describe('names of flags', () => {
  it('are those of the kernel, bit for bit', () => {
    expect(ROUTE_FLAGS.map(([bit, , name]) => [bit, name])).toEqual(
      expect.arrayContaining(numbered(route, 'RTF_').filter(([, name]) => name !== 'LLDATA')),
    );
    for (const [bit, name] of numbered(iface, 'IFF_')) expect(flagNames(bit), name).toEqual([name]);
  });
});
