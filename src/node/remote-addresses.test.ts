/** Addresses where the kernel is another's: numbers of this process, texts for the kernel. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ANY6, isIp6, LOOPBACK6 } from './address.ts';
import { NO_NAME, RemoteAddresses } from './remote-addresses.ts';

const addresses = (): RemoteAddresses => new RemoteAddresses(['lo0', 'eth0', '2']);

describe('remote addresses', () => {
  it('of IPv4 are their own numbers', () => {
    const known = addresses();
    expect(known.parse('10.0.0.1')).toBe(0x0a000001);
    expect(known.parse('::ffff:10.0.0.1')).toBe(0x0a000001);
    expect(known.format(0x0a000001)).toBe('10.0.0.1');
    expect(known.format(0x0a000001, 6)).toBe('::ffff:10.0.0.1');
    expect([known.format(0), known.format(0, 6)]).toEqual(['0.0.0.0', '::']);
    // 240/8, whose numbers stand for IPv6.
    expect(known.parse('240.0.0.1')).toBeNull();
  });

  it('of IPv6 get one number each, whichever way they are written', () => {
    const known = addresses();
    expect([known.parse('::'), known.parse('::1')]).toEqual([ANY6, LOOPBACK6]);
    const one = known.parse('2001:DB8:0::1') as number;
    expect(isIp6(one)).toBe(true);
    expect(known.parse('2001:db8::1')).toBe(one);
    expect(known.parse('2001:db8::2')).not.toBe(one);
    expect(known.format(one)).toBe('2001:db8::1');
  });

  it('are none when the text is none, or names no interface of the kernel', () => {
    const known = addresses();
    for (const text of ['', 'eth0', '10.0.0', '10.0.0.256', 'fd00::g', ':::', 'fe80::1%eth7']) {
      expect(known.parse(text), text).toBeNull();
    }
  });

  it('keep their zone', () => {
    const known = addresses();
    const near = known.parse('fe80::1%eth0') as number;
    expect(known.format(near)).toBe('fe80::1%eth0');
    expect(known.parse('fe80::1%2')).not.toBe(near);
    expect(known.parse('fe80::1')).not.toBe(near);
  });

  it('name interfaces', () => {
    const known = addresses();
    expect(known.parseInterface('')).toBe(0);
    expect(known.parseInterface('10.0.0.1')).toBe(0x0a000001);
    expect(known.format(known.parseInterface('::%eth0') as number)).toBe('::%eth0');
    expect(known.parseInterface('::%eth7')).toBeNull();
    expect(known.parseInterface('nothing')).toBeNull();
  });

  it('outlive their number where the text is kept', () => {
    const known = addresses();
    const name = { address: known.parse('fd00::1') as number, text: 'fd00::1', port: 80 };
    for (let i = 0; i < 5000; i++) known.parse(`fd00:1::${i.toString(16)}`);
    const { address, port } = known.name(name);
    expect([known.format(address), port]).toEqual(['fd00::1', 80]);
    expect(known.name({ address: 0x0a000001, text: '', port: 1 })).toEqual({ address: 0x0a000001, port: 1 });
    expect(known.name(NO_NAME)).toEqual({ address: 0, port: 0 });
  });

  it('that were read lately have a number of their own', () => {
    const word = fc.integer({ min: 1, max: 0xfff });
    fc.assert(
      fc.property(fc.array(word, { maxLength: 6000, minLength: 4200, size: 'max' }), (words) => {
        const known = addresses();
        const texts = words.map((one) => `fd00::${one.toString(16)}`);
        const numbers = texts.map((text) => known.parse(text) as number);
        for (let i = Math.max(0, texts.length - 2000); i < texts.length; i++) {
          expect(known.format(numbers[i] as number)).toBe(texts[i]);
        }
      }),
      { numRuns: 5 },
    );
  });
});
