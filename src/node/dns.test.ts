/** Answers to `node:dns`: orders and hints of lookups, records, reverse names. */

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SocketDouble } from '../../test/fixtures/socket-double.ts';
import { DatagramInfo, SocketAddress } from '../socket/socket.ts';
import { caresWrap, uv } from './bindings.ts';
import { getaddrinfo, getnameinfo, lookupAddresses } from './dns.ts';
import { DnsResolver } from './dns-resolver.ts';
import { type HostInterfaceAddress, setFace } from './face.ts';
import { StaticNames } from './names.ts';

const V4MAPPED = Number(caresWrap.AI_V4MAPPED);
const ALL = Number(caresWrap.AI_ALL);
const ADDRCONFIG = Number(caresWrap.AI_ADDRCONFIG);

const names = new StaticNames({
  both: ['10.0.0.2', 'fd00::2', '2001:db8::2', '10.0.1.2'],
  six: 'fd00::6',
  four: '10.0.0.4',
  'xn--4ca.test': '10.0.0.8',
  near: 'fe80::2%lo0',
});

function on(name: string, address: string): HostInterfaceAddress {
  const internal = name === 'lo0';
  return { name, address, prefixLength: 64, mac: '02:00:00:00:00:01', internal, scopeId: 0 };
}

const LO = [on('lo0', '127.0.0.1'), on('lo0', '::1')];

/** A kernel that prefers `first`, with these interfaces. */
function install(first: string | null, interfaces: HostInterfaceAddress[] | null): void {
  const sockets = new SocketDouble(() => {});
  if (first !== null) sockets.own.add(first);
  setFace({ sockets, names, ...(interfaces === null ? {} : { interfaces: () => interfaces }) });
}

/** The arguments of a request's callback that mean something, once it is called. */
function answer(start: (request: { oncomplete: unknown }) => unknown): Promise<unknown[]> {
  return new Promise((resolve) => {
    start({ oncomplete: (...given: unknown[]) => resolve(given.filter((one) => one !== undefined)) });
  });
}

beforeEach(() => install(null, null));
afterEach(() => setFace(null));

describe('a lookup', () => {
  it('without a family has all addresses in the order of the kernel', () => {
    expect(lookupAddresses('both', 0, 0)).toEqual(['10.0.0.2', 'fd00::2', '2001:db8::2', '10.0.1.2']);
    install('2001:db8::2', null);
    expect(lookupAddresses('both', 0, 0)).toEqual(['2001:db8::2', '10.0.0.2', 'fd00::2', '10.0.1.2']);
    expect(lookupAddresses('both', 6, 0)).toEqual(['2001:db8::2', 'fd00::2']);
    expect(lookupAddresses('both', 4, 0)).toEqual(['10.0.0.2', '10.0.1.2']);
  });

  it('puts one family first when asked to, each in the order of the kernel', () => {
    install('2001:db8::2', null);
    const six = ['2001:db8::2', 'fd00::2'];
    const four = ['10.0.0.2', '10.0.1.2'];
    expect(lookupAddresses('both', 0, 0, caresWrap.DNS_ORDER_IPV4_FIRST ?? false)).toEqual([...four, ...six]);
    // Before the numbers there was a boolean: whether the order is to be left alone.
    expect(lookupAddresses('both', 0, 0, false)).toEqual([...four, ...six]);
    expect(lookupAddresses('both', 0, 0, true)).toEqual(['2001:db8::2', '10.0.0.2', 'fd00::2', '10.0.1.2']);
    const last = caresWrap.DNS_ORDER_IPV6_FIRST;
    if (last !== undefined) expect(lookupAddresses('both', 0, 0, last)).toEqual([...six, ...four]);
  });

  it('with AI_ADDRCONFIG leaves out a family that no interface but lo0 has', () => {
    install(null, [...LO, on('eth0', '10.0.0.1')]);
    expect(lookupAddresses('both', 0, ADDRCONFIG)).toEqual(['10.0.0.2', '10.0.1.2']);
    install(null, [...LO, on('eth0', 'fd00::1')]);
    expect(lookupAddresses('both', 0, ADDRCONFIG)).toEqual(['fd00::2', '2001:db8::2']);
    install(null, [...LO, on('eth0', 'fd00::1'), on('eth1', '10.0.0.1')]);
    expect(lookupAddresses('both', 0, ADDRCONFIG)).toHaveLength(4);
    expect(lookupAddresses('both', 0, 0)).toHaveLength(4);
    // A family that is asked for and that nobody speaks has no addresses (glibc).
    install(null, [...LO, on('eth0', '10.0.0.1')]);
    expect(lookupAddresses('six', 0, ADDRCONFIG)).toEqual([]);
    expect(lookupAddresses('both', 6, ADDRCONFIG)).toEqual([]);
    expect(lookupAddresses('both', 4, ADDRCONFIG)).toEqual(['10.0.0.2', '10.0.1.2']);
    // Without either, nothing is left out.
    install(null, LO);
    expect(lookupAddresses('both', 0, ADDRCONFIG)).toHaveLength(4);
    expect(lookupAddresses('both', 6, ADDRCONFIG)).toEqual([]);
  });

  it.each([
    ['nothing but lo0', LO],
    ['IPv4 alone', [...LO, on('eth0', '10.0.0.1')]],
    ['IPv6 alone', [...LO, on('eth0', 'fd00::1')]],
    ['both', [...LO, on('eth0', 'fd00::1'), on('eth0', '10.0.0.1')]],
  ])('of localhost is the same with and without AI_ADDRCONFIG: %s', (_what, interfaces) => {
    install('::1', interfaces);
    for (const hints of [0, ADDRCONFIG]) {
      expect(lookupAddresses('localhost', 0, hints)).toEqual(['::1', '127.0.0.1']);
      expect(lookupAddresses('localhost', 0, hints, false)).toEqual(['127.0.0.1', '::1']);
      expect(lookupAddresses('localhost', 4, hints)).toEqual(['127.0.0.1']);
      expect(lookupAddresses('localhost', 6, hints)).toEqual(['::1']);
    }
  });

  it('with AI_V4MAPPED has IPv4 addresses for IPv6, when there are no others, or with AI_ALL', () => {
    expect(lookupAddresses('four', 6, 0)).toEqual([]);
    expect(lookupAddresses('four', 6, V4MAPPED)).toEqual(['::ffff:10.0.0.4']);
    expect(lookupAddresses('both', 6, V4MAPPED)).toEqual(['fd00::2', '2001:db8::2']);
    const all = ['fd00::2', '2001:db8::2', '::ffff:10.0.0.2', '::ffff:10.0.1.2'];
    expect(lookupAddresses('both', 6, V4MAPPED | ALL)).toEqual(all);
    expect(lookupAddresses('both', 4, V4MAPPED)).toEqual(['10.0.0.2', '10.0.1.2']);
  });

  it('of a text that is an address is that address', () => {
    expect(lookupAddresses('FD00:0::1', 0, 0)).toEqual(['fd00::1']);
    expect(lookupAddresses('fd00::1', 4, 0)).toEqual([]);
    expect(lookupAddresses('10.0.0.9', 0, 0)).toEqual(['10.0.0.9']);
  });

  it('takes IPv4 addresses in every form of inet_aton', async () => {
    expect(lookupAddresses('127.1', 0, 0)).toEqual(['127.0.0.1']);
    expect(lookupAddresses('0x7f.1', 4, 0)).toEqual(['127.0.0.1']);
    expect(lookupAddresses('2130706433', 0, ADDRCONFIG)).toEqual(['127.0.0.1']);
    expect(lookupAddresses('0177.0.0.1', 0, 0)).toEqual(['127.0.0.1']);
    expect(lookupAddresses('\uff11\uff12\uff17.1', 0, 0)).toEqual(['127.0.0.1']);
    expect(lookupAddresses('127.1', 6, V4MAPPED)).toEqual(['::ffff:127.0.0.1']);
    expect(lookupAddresses('127.0.0.1.', 0, 0)).toEqual([]);
    expect(lookupAddresses('127.0.0.1%lo0', 0, 0)).toEqual([]);
    const status = (name: string, hints: number): Promise<unknown[]> =>
      answer((request) => getaddrinfo(request, name, 6, hints));
    expect(await status('127.1', 0)).toEqual([Number(uv.UV_EAI_ADDRFAMILY), []]);
    install(null, [...LO, on('eth0', '10.0.0.1')]);
    expect(await status('127.1', ADDRCONFIG)).toEqual([-3008, []]);
  });

  it('takes other letters than ASCII as IDNA has them, and a name up to its first NUL', () => {
    expect(lookupAddresses('\uff2cocalHOST', 4, 0)).toEqual(['127.0.0.1']);
    expect(lookupAddresses('four\0.example', 0, 0)).toEqual(['10.0.0.4']);
    expect(lookupAddresses('\u00e4.test', 0, 0)).toEqual(['10.0.0.8']);
    expect(lookupAddresses('\u00e4 b', 0, 0)).toEqual([]);
  });

  it('keeps the zone that a name was entered with', () => {
    expect(lookupAddresses('near', 0, 0)).toEqual(['fe80::2%lo0']);
  });

  it('is answered later, with EAI_NONAME when there is nothing', async () => {
    expect(await answer((request) => getaddrinfo(request, 'six', 6, 0))).toEqual([0, ['fd00::6']]);
    const [error, none] = await answer((request) => getaddrinfo(request, 'six', 4, 0));
    expect([error, none]).toEqual([-3008, []]);
    // libuv has no room for it.
    expect(getaddrinfo({}, 'x'.repeat(256), 0, 0)).toBe(Number(uv.UV_EINVAL));
    expect(getaddrinfo({}, 'x'.repeat(255), 0, 0)).toBe(0);
  });
});

describe('a resolver', () => {
  const query = (name: string, type: string): Promise<unknown[]> =>
    answer((request) => new DnsResolver().query(request, name, type));
  const NIBBLES = '2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2';

  it('has A and AAAA records', async () => {
    expect(await query('both', 'AAAA')).toEqual([null, ['fd00::2', '2001:db8::2'], [0, 0]]);
    expect(await query('both', 'A')).toEqual([null, ['10.0.0.2', '10.0.1.2'], [0, 0]]);
    expect(await query('four', 'AAAA')).toEqual(['ENODATA']);
    expect(await query('nobody', 'AAAA')).toEqual(['ENOTFOUND']);
    expect(await query('six', 'ANY')).toEqual([null, [{ address: 'fd00::6', ttl: 0, type: 'AAAA' }], []]);
  });

  it('finds names under in-addr.arpa and ip6.arpa', async () => {
    expect(await query('2.1.0.10.in-addr.arpa', 'PTR')).toEqual([null, ['both'], []]);
    expect(await query(`${NIBBLES}.ip6.arpa`, 'PTR')).toEqual([null, ['both'], []]);
    expect(await query(`${NIBBLES.toUpperCase()}.IP6.ARPA.`, 'PTR')).toEqual([null, ['both'], []]);
    expect(await query(`3${NIBBLES.slice(1)}.ip6.arpa`, 'PTR')).toEqual(['ENOTFOUND']);
    // One nibble short: a zone, not an address.
    expect(await query(`${NIBBLES.slice(2)}.ip6.arpa`, 'PTR')).toEqual(['ENOTFOUND']);
  });

  it('finds the names of an address', async () => {
    const names = (ip: string): Promise<unknown[]> => answer((request) => new DnsResolver().getHostByAddr(request, ip));
    expect(await names('2001:DB8:0::2')).toEqual([null, ['both'], []]);
    expect(await names('::1')).toEqual([null, ['localhost'], []]);
    expect(await names('fe80::2%lo0')).toEqual([null, ['near'], []]);
    expect(await names('fd00::99')).toEqual(['ENOTFOUND']);
    expect(new DnsResolver().getHostByAddr({}, 'both')).toBe(-22);
  });

  it('finds the name of an address and of a port', async () => {
    const named = (ip: string, port: number): Promise<unknown[]> => answer((request) => getnameinfo(request, ip, port));
    expect(await named('fd00::6', 443)).toEqual([0, 'six', 'https']);
    expect(await named('::ffff:10.0.0.4', 8080)).toEqual([0, 'four', 'http-alt']);
    expect(await named('fd00::6', 5432)).toEqual([0, 'six', 'postgresql']);
    expect(await named('fd00::6', 3000)).toEqual([0, 'six', '3000']);
    expect(await named('fd00::99', 80)).toEqual([-3008, null, null]);
  });
});

describe('a question to a server', () => {
  let resolver: DnsResolver;
  let heard: string[];

  /** A server that knows no name, on 127.0.0.1 and port 5353, and a resolver that asks it. */
  beforeEach(() => {
    const sockets: SocketDouble = new SocketDouble(() => queueMicrotask(() => sockets.deliver()));
    setFace({ sockets, names });
    resolver = new DnsResolver();
    resolver.setServers([[4, '127.0.0.1', 5353]]);
    heard = [];
    const server = sockets.datagram();
    server.bind(SocketAddress.any(4, 5353));
    server.onEvents = () => {
      const bytes = new Uint8Array(512);
      const from = new DatagramInfo();
      const length = server.receive(bytes, 0, bytes.length, from);
      if (length < 0) return;
      heard.push(from.from.format());
      bytes.set([0x81, 0x83], 2); // a response: no such name
      server.send(bytes, 0, length, from.from);
    };
  });
  const ask = (name: string = 'nowhere.example'): Promise<unknown[]> =>
    answer((request) => resolver.query(request, name, 'A'));

  it('that is cancelled is not answered, whatever arrives before its turn', async () => {
    const answered = ask();
    expect(await answered).toEqual(['ENOTFOUND']);
    const asked = ask();
    resolver.cancel();
    expect(await asked).toEqual(['ECANCELLED']);
  });

  it('leaves from the address that the program gave for its family', async () => {
    await ask();
    expect(heard).toEqual(['127.0.0.1']);
    resolver.setLocalAddress('127.0.0.5', '::1');
    await ask();
    expect(heard).toEqual(['127.0.0.1', '127.0.0.5']);
    expect(() => resolver.setLocalAddress('127.0.0.5', '127.0.0.6')).toThrow('Cannot specify two IPv4 addresses.');
    expect(() => resolver.setLocalAddress('127.1')).toThrow('Invalid IP address.');
  });

  it('is not asked for a name that there cannot be', async () => {
    const labels = ['x'.repeat(63), 'x'.repeat(63), 'x'.repeat(63), 'x'.repeat(62)].join('.');
    for (const name of ['a..b', 'x'.repeat(64), labels, 'a b', '\u00e4 b'])
      expect(await ask(name)).toEqual(['EBADNAME']);
    expect(heard).toEqual([]);
    resolver = new DnsResolver();
    expect(await ask('a..b')).toEqual(['EBADNAME']);
  });

  it('is not asked for names of another system (RFC 7686)', async () => {
    expect(await ask('a.Onion.')).toEqual(['ENOTFOUND']);
    expect(heard).toEqual([]);
    expect(await ask('onion')).toEqual(['ENOTFOUND']);
    expect(heard).toHaveLength(1);
  });

  it('is not asked for the name of an address that the lab knows', async () => {
    const named = (ip: string): Promise<unknown[]> => answer((request) => resolver.getHostByAddr(request, ip));
    expect(await named('fd00::6')).toEqual([null, ['six'], []]);
    expect(heard).toEqual([]);
    expect(await named('fd00::99')).toEqual(['ENOTFOUND']);
    expect(heard).toHaveLength(1);
  });
});
