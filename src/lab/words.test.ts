import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AddressPool, allocatePrefix, formatAddress, macAddress, parseAddress, parsePrefix } from './addressing.ts';
import { parseProgramCommand, splitWords } from './program-command.ts';
import { durationMs, formatDuration, sizeBytes } from './quantity.ts';
import { programError, stateHolds, stateText } from './state.ts';
import { nearest } from './suggest.ts';

describe('quantities', () => {
  it('need their unit', () => {
    expect(['20ms', '5s', '1.5m', '2h', '3 us'].map(durationMs)).toEqual([20, 5000, 90_000, 7_200_000, 0.003]);
    expect(['5', '', 's', '-1s', '5 parsecs'].map(durationMs)).toEqual(new Array(5).fill(Number.NaN));
    expect(['4096', '64KiB', '64K', '64kB', '1.5MiB', '2G'].map(sizeBytes)).toEqual([
      4096, 65_536, 65_536, 64_000, 1_572_864, 2_147_483_648,
    ]);
    expect([250, 5000, 90_000, 7_200_000].map(formatDuration)).toEqual(['250 ms', '5 s', '1.5 min', '2 h']);
  });
});

describe('program commands', () => {
  it('are words as a shell makes them', () => {
    expect(splitWords(`node 'a b' "c 'd'" e\\ f x'y'z ""`)).toEqual(['node', 'a b', "c 'd'", 'e f', 'xyz', '']);
    expect(splitWords("node 'a")).toBe("quote ' is not closed");
    expect(splitWords('a > b')).toMatch(/^'>': there is no shell here/);
  });

  it('have flags, a script and arguments', () => {
    expect(parseProgramCommand('node --import ./x.js -r y --enable-source-maps a.js --flag b')).toEqual({
      executable: null,
      nodeFlags: ['--import', './x.js', '-r', 'y', '--enable-source-maps'],
      script: 'a.js',
      argv: ['--flag', 'b'],
    });
    expect(parseProgramCommand('server.mjs 1')).toMatchObject({ nodeFlags: [], script: 'server.mjs', argv: ['1'] });
    expect(parseProgramCommand('node -- -odd.js')).toMatchObject({ script: '-odd.js' });
    expect(parseProgramCommand('./serve "a b" x.js')).toEqual({
      executable: './serve',
      nodeFlags: [],
      script: '',
      argv: ['a b', 'x.js'],
    });
    expect(parseProgramCommand('node --no-warnings --test a.js b')).toEqual({
      executable: 'node',
      nodeFlags: [],
      script: '',
      argv: ['--no-warnings', '--test', 'a.js', 'b'],
    });
    expect(['', 'node', 'node -r', 'node --watch a.js'].map(parseProgramCommand)).toEqual([
      'nothing to run',
      'no script after "node"',
      'node -r: a value is missing',
      'node --watch: Node loads its network there before a kernel can be put under it',
    ]);
  });
});

describe('addresses', () => {
  it('are numbers and back', () => {
    fc.assert(fc.property(fc.integer({ min: 0, max: 0xffffffff }), (n) => parseAddress(formatAddress(n)) === n));
    expect(['1.2.3', '1.2.3.256', '::1', '01.2.3.4.5', 'a'].map(parseAddress)).toEqual(new Array(5).fill(null));
  });

  it('are never given out twice, nor outside the prefix', () => {
    fc.assert(
      fc.property(fc.integer({ min: 24, max: 30 }), fc.array(fc.boolean(), { maxLength: 300 }), (length, routers) => {
        const pool = new AddressPool({ network: 0x0a000000, length });
        const given = routers.map((router, i) => pool.allocate(`n${i}`, router)).filter((address) => address !== null);
        const hosts = 2 ** (32 - length) - 2;
        expect(new Set(given).size).toBe(given.length);
        expect(given.length).toBe(Math.min(hosts, routers.length));
        expect(given.every((address) => address > 0x0a000000 && address <= 0x0a000000 + hosts)).toBe(true);
      }),
    );
  });

  it('prefixes hold hosts', () => {
    expect(parsePrefix('192.168.4.0/22')).toEqual({ network: 0xc0a80400, length: 22 });
    expect(['127.0.0.0/8', '224.0.0.0/8', '10.0.0.0/31', '10.0.0.0'].map((text) => typeof parsePrefix(text))).toEqual(
      new Array(4).fill('string'),
    );
    expect(allocatePrefix([{ network: 0x0a000000, length: 23 }])).toEqual({ network: 0x0a000200, length: 24 });
    expect(macAddress(299, 2)).toBe('02:6d:6b:01:2c:02');
  });
});

describe('suggestions', () => {
  it('are near, or none', () => {
    expect(nearest('netwroks', ['nodes', 'networks'])).toBe('networks');
    expect(nearest('prot', ['port'])).toBe('port');
    expect([nearest('q', ['a']), nearest('colour', ['kind', 'run']), nearest('x', [])]).toEqual([null, null, null]);
  });
});

describe('states', () => {
  const base = {
    phase: 'running' as const,
    listening: { tcp: [80], udp: [53] },
    inspectorUrl: null,
    exitCode: null,
    lastError: null,
    waitingFor: [],
    paused: false,
    restarts: 0,
    program: null,
  };

  it('have words', () => {
    expect(stateText(base)).toBe('running, listening :80 :53/udp');
    expect(stateText({ ...base, listening: { tcp: [1, 2, 3, 4, 5, 6], udp: [] } })).toBe(
      'running, listening :1 :2 :3 :4 and 2 more',
    );
    const inspected = { ...base, inspectorUrl: 'ws://127.0.0.1:9229/0f2c936f' };
    expect(stateText(inspected)).toBe('running, listening :80 :53/udp, inspector 127.0.0.1:9229');
    expect(stateText({ ...base, phase: 'crashed', lastError: programError('just text') })).toBe(
      'crashed 1: Uncaught: just text',
    );
    const again = { ...base, phase: 'restarting' as const, exitCode: 3, restarts: 2 };
    expect(stateText(again)).toBe('restarting (exited 3), 2 restarts');
    expect(stateText({ ...again, lastError: programError(new TypeError('boom')), restarts: 1 })).toBe(
      'restarting (crashed 3: TypeError: boom), 1 restart',
    );
    expect(stateText({ ...base, restarts: 1 })).toBe('running, listening :80 :53/udp, 1 restart');
    const long = stateText({ ...base, phase: 'crashed', lastError: programError(new Error('x'.repeat(500))) });
    expect(long).toHaveLength('crashed 1: '.length + 160);
  });

  it('hold or do not', () => {
    const holds = (state: string): boolean => stateHolds(base, state);
    expect(['running', 'listening', 'listening:80', 'listening:53', 'listening:81', 'exited'].map(holds)).toEqual([
      true,
      true,
      true,
      true,
      false,
      false,
    ]);
    expect(stateHolds({ ...base, phase: 'exited', exitCode: 3 }, 'exited:3')).toBe(true);
    expect(stateHolds({ ...base, phase: 'exited', exitCode: 3 }, 'exited:0')).toBe(false);
    expect(stateHolds({ ...base, phase: 'ready' }, 'running')).toBe(true);
    expect(stateHolds({ ...base, phase: 'ready', program: 'node a.js' }, 'running')).toBe(false);
    expect(stateHolds({ ...base, phase: 'crashed' }, 'listening')).toBe(false);
  });

  it('keep what was thrown, whatever it was', () => {
    expect(programError(null)).toMatchObject({ name: 'Uncaught', message: 'null', code: null });
    expect(programError({ message: 7, code: 8 })).toEqual({ name: 'Error', message: '7', code: null, stack: '' });
    const error = Object.assign(new RangeError('far'), { code: 'ERR_FAR' });
    expect(programError(error)).toMatchObject({ name: 'RangeError', message: 'far', code: 'ERR_FAR' });
  });
});
