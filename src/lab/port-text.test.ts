import { describe, expect, it } from 'vitest';
import { parsePort } from './port-text.ts';

describe('a port', () => {
  it('has the forms of compose files, and is on loopback', () => {
    const tcp = { address: '127.0.0.1', protocol: 'tcp' };
    expect(parsePort('8080:80')).toEqual({ ...tcp, hostPort: 8080, port: 80 });
    expect(parsePort('80')).toEqual({ ...tcp, hostPort: 0, port: 80 });
    expect(parsePort('0:80')).toEqual({ ...tcp, hostPort: 0, port: 80 });
    expect(parsePort('8080:80/udp')).toEqual({ ...tcp, hostPort: 8080, port: 80, protocol: 'udp' });
    expect(parsePort('0.0.0.0:8080:80/tcp')).toEqual({ ...tcp, address: '0.0.0.0', hostPort: 8080, port: 80 });
    expect(parsePort('127.0.0.2::80')).toEqual({ ...tcp, address: '127.0.0.2', hostPort: 0, port: 80 });
    expect(parsePort('[::1]:8080:80')).toEqual({ ...tcp, address: '::1', hostPort: 8080, port: 80 });
  });

  it.each([
    ['8080:0', 'expected a port such as "8080:80", "127.0.0.1:8080:80", "80" or "8080:80/udp", not "8080:0"'],
    ['99999:80', /^expected a port such as/],
    ['x:80', /^expected a port such as/],
    ['8080:', /^expected a port such as/],
    ['', /^expected a port such as/],
    ['8080:80/sctp', /^expected a port such as/],
    ['8000-8010:80', '"8000-8010:80": one port each, no range'],
    ['localhost:8080:80', '"localhost" is no address of the host; one is 127.0.0.1, or 0.0.0.0 for all'],
    ['1:2:3', '"1" is no address of the host; one is 127.0.0.1, or 0.0.0.0 for all'],
    ['::1:8080:80', /no address|^expected a port such as/],
  ])('%j is none', (text, why) => {
    const found = parsePort(text);
    if (typeof why === 'string') expect(found).toBe(why);
    else expect(found).toMatch(why);
  });
});
