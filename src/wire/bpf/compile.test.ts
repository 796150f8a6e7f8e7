import { describe, expect, it } from 'vitest';
import { compileFilter, filterHosts } from './compile.ts';
import { parseProgram } from './instructions.ts';

/** As `tcpdump -ddd` prints them: code, jt, jf, k. */
function listing(expression: string): string[] {
  return (parseProgram(compileFilter(expression)) ?? []).map(({ code, jt, jf, k }) => [code, jt, jf, k].join(' '));
}

function refusal(expression: string): string {
  try {
    compileFilter(expression);
  } catch (error) {
    const { code, message } = error as Error & { code: string };
    return `${code} ${message}`;
  }
  return 'compiled';
}

describe('a filter expression', () => {
  it('becomes a program', () => {
    expect(listing('')).toEqual(['6 0 0 262144']);
    // ldh [12]; jeq 0x800 or the end; ldb [23]; jeq 6; ret 262144; ret 0
    expect(listing('ip proto 6')).toEqual([
      '40 0 0 12',
      '21 0 3 2048',
      '48 0 0 23',
      '21 0 1 6',
      '6 0 0 262144',
      '6 0 0 0',
    ]);
    // ldb [0]; jset 1
    expect(listing('not multicast')).toEqual(['48 0 0 0', '69 1 0 1', '6 0 0 262144', '6 0 0 0']);
    expect(listing('less 100')).toEqual(['128 0 0 0', '37 1 0 100', '6 0 0 262144', '6 0 0 0']);
  });

  it('reaches far ends by jumps of their own', () => {
    const hosts = Array.from({ length: 100 }, (_, i) => `ip src host 10.0.0.${i}`).join(' or ');
    const program = parseProgram(compileFilter(hosts)) ?? [];
    expect(program.length).toBeGreaterThan(400);
    expect(program.some(({ code }) => code === 5)).toBe(true);
  });

  it.each([
    ['port', 'column 5: a port is missing; the expression ends'],
    ['host 10.0.0.1 and', 'column 18: the expression ends'],
    ['foo', "column 1: what is 'foo'? Say host, net, port ..."],
    ['1.2.3.4', "column 1: what is '1.2.3.4'? Say host, net, port ..."],
    ['tcp or 1.2.3.4', "column 8: what is '1.2.3.4'? Say host, net, port ..."],
    ['tcp port htttp', "column 10: unknown port 'htttp'"],
    ['port 65536', "column 6: unknown port '65536'"],
    ['host api', "column 6: unknown host 'api'"],
    ['tcp host 10.0.0.1', "column 10: 'tcp' has no IPv4 addresses; say 'tcp and host ...'"],
    ['ip host ::1', "column 9: 'ip' has no IPv6 addresses; say 'ip and host ...'"],
    ['ether host 10.0.0.1', "column 12: '10.0.0.1' is no link-layer address (aa:bb:cc:dd:ee:ff)"],
    ['host 02:00:00:00:00:01', "column 6: '02:00:00:00:00:01' is a link-layer address; say ether host"],
    ['net 10.1.2.3/8', "column 5: '10.1.2.3' has bits outside of the net"],
    ['net 2001:db8::1/32', "column 5: '2001:db8::1' has bits outside of the net"],
    ['net 10.0.0.0/33', 'column 5: /33 of 32 bits'],
    ['host 10.0.0.0/8', 'column 6: a host has no prefix length and no mask; say net'],
    ['net 300.1', "column 5: '300.1' is no IPv4 address"],
    ['ip broadcast', "column 4: a filter knows no netmask; say 'dst host' and the broadcast address"],
    ['arp multicast', "column 5: 'arp' has no multicast"],
    ['ip protochain 6', "column 4: 'protochain' is not supported"],
    ['inbound', "column 1: 'inbound' is not supported"],
    ['vlan 5000', 'column 6: 5000 is no VLAN: 0 to 4095'],
    ['ip[0:3] = 1', 'column 6: a size is 1, 2 or 4'],
    ['ip[0] / 0 = 1', 'column 7: division by zero'],
    ['ip[0] << 32 = 1', 'column 7: a shift by more than 31 bits'],
    ['ip[0]', 'column 6: a comparison (=, !=, <, >) is missing; the expression ends'],
    ['ah[0] = 1', "column 1: 'ah' has no fields here"],
    ['(tcp', "column 5: ')' is missing; the expression ends"],
    ['tcp)', "column 4: ')' is not expected here"],
    ['tcp; udp', "column 4: ';' means nothing here"],
    ['ether', "column 1: 'ether' says nothing by itself; say ether host ..."],
    ['ip proto tcp', "column 10: a proto is missing; 'tcp' is not expected here"],
    ['ether proto 65536', "column 13: unknown EtherType '65536'"],
    ['less 99999999999', 'column 6: 99999999999 has more than 32 bits'],
  ])('%s is refused in one line', (expression, what) => {
    expect(refusal(expression)).toBe(`EINVAL filter '${expression}', ${what}`);
  });

  it('is refused when it is too deep or too long', () => {
    expect(refusal(`${'('.repeat(200)}tcp${')'.repeat(200)}`)).toMatch(/^EINVAL .*: too many levels$/);
    const hosts = Array.from({ length: 40 }, (_, i) => `host 10.0.0.${i}`).join(' or ');
    expect(refusal(hosts)).toMatch(/column 1: \d+ instructions, more than 512$/);
  });

  it('names the hosts that it needs', () => {
    expect(filterHosts('src host api or db and not host 10.0.0.1 and port http and ether host a')).toEqual([
      'api',
      'db',
    ]);
    const addressesOf = (host: string): string[] => (host === 'api' ? ['10.0.0.2', 'fd00::2'] : []);
    expect(compileFilter('host api', { addressesOf })).toEqual(compileFilter('host 10.0.0.2 or host fd00::2'));
    expect(compileFilter('ip6 host api', { addressesOf })).toEqual(compileFilter('ip6 host fd00::2'));
  });
});
