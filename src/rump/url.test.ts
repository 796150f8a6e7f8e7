import { describe, expect, it } from 'vitest';
import { formatServerUrl, parseServerUrl, serverOfEnvironment } from './url.ts';

const KEY = '000102030405060708090a0b0c0d0eff';
const KEY_BYTES = Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 255);

describe('the URL of a server', () => {
  it.each([
    ['unix:///run/lab/api.sock', { kind: 'unix', path: '/run/lab/api.sock', key: null }],
    ['unix://commsock', { kind: 'unix', path: 'commsock', key: null }],
    ['unix://@name', { kind: 'unix', path: '\0name', key: null }],
    [`unix://@name?key=${KEY}`, { kind: 'unix', path: '\0name', key: KEY_BYTES }],
    ['tcp://127.0.0.1:4000/', { kind: 'tcp', host: '127.0.0.1', port: 4000, key: null }],
    ['tcp://[::1]:1/', { kind: 'tcp', host: '::1', port: 1, key: null }],
    [`tcp://gate.example:65535/?key=${KEY}`, { kind: 'tcp', host: 'gate.example', port: 65535, key: KEY_BYTES }],
  ])('%s is read and written', (text, url) => {
    expect(parseServerUrl(text)).toEqual(url);
    expect(formatServerUrl(parseServerUrl(text))).toBe(text);
  });

  it('may end without a slash', () => {
    expect(parseServerUrl('tcp://10.0.0.1:80')).toEqual({ kind: 'tcp', host: '10.0.0.1', port: 80, key: null });
  });

  it('takes its key from elsewhere when it has none', () => {
    expect(parseServerUrl('unix://a', KEY).key).toEqual(KEY_BYTES);
    expect(parseServerUrl('unix://a', '').key).toBe(null);
    expect(parseServerUrl(`unix://a?key=${KEY}`, 'f'.repeat(32)).key).toEqual(KEY_BYTES);
  });

  it('is named by the environment, with its key beside it', () => {
    expect(serverOfEnvironment({})).toBe(null);
    expect(serverOfEnvironment({ RUMP_SERVER: '' })).toBe(null);
    expect(serverOfEnvironment({ RUMP_SERVER: 'unix://a', RUMP_KEY: KEY })).toEqual({
      kind: 'unix',
      path: 'a',
      key: KEY_BYTES,
    });
    expect(() => serverOfEnvironment({ RUMP_SERVER: 'unix://a', RUMP_KEY: 'x' })).toThrow(
      'unix://a: a key has 32 hexadecimal digits',
    );
  });

  it.each([
    ['', 'not a URL of a kernel: unix://PATH or tcp://HOST:PORT/'],
    ['api', 'not a URL of a kernel: unix://PATH or tcp://HOST:PORT/'],
    ['http://x:1/', 'no scheme http: unix:// or tcp://'],
    ['unix://', 'unix:// wants a path'],
    ['unix://@', 'unix:// wants a path'],
    [`unix://${'a'.repeat(108)}`, 'the path of a socket has 107 bytes at most'],
    ['tcp://10.0.0.1/', 'tcp://HOST:PORT/ wants a host and a port'],
    ['tcp://:1/', 'tcp://HOST:PORT/ wants a host and a port'],
    ['tcp://::1:1/', 'tcp://HOST:PORT/ wants a host and a port'],
    ['tcp://10.0.0.1:65536/', 'port 65536 is above 65535'],
    ['tcp://10.0.0.1:1/?key=12', 'a key has 32 hexadecimal digits'],
    ['tcp://10.0.0.1:1/?secret=12', 'after ? comes key=DIGITS'],
  ])('%s is none', (text, why) => {
    expect(() => parseServerUrl(text)).toThrow(expect.objectContaining({ code: 'EINVAL', message: `${text}: ${why}` }));
  });
});
