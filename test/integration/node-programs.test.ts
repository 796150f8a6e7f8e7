/**
 * Ordinary programs on a kernel of their own (`mk run`): each prints what it saw, and what it printed on plain Node is
 * beside it in a file of the same name with `.txt` (dns.cjs.txt, which has the kernel's names in it, was written by hand).
 */

import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Terminal } from '../fixtures/mk.ts';

const PROGRAMS = resolve(import.meta.dirname, '../fixtures/programs');

describe('ordinary programs print what they print on plain Node', () => {
  let terminal: Terminal;
  beforeEach(() => {
    terminal = new Terminal();
  });
  afterEach(() => terminal.close());

  it.each([
    ['net.cjs', 'net from CommonJS'],
    ['http.mjs', 'http and fetch from an ES module'],
    ['secure.mjs', 'tls, https and http2'],
    ['dgram.cjs', 'dgram'],
    ['dns.cjs', 'dns'],
    ['localhost.cjs', 'localhost, and IPv4 addresses in other forms'],
    ['resolver.cjs', 'dns: arguments, servers, addresses to ask from, cancelling'],
    ['resolve.cjs', 'dns.Resolver: records, broken answers, strangers, TCP'],
    ['family.cjs', 'child processes, cluster and threads'],
    ['passing.cjs', 'sockets sent to a child process, in messages of either serialization'],
    ['tests.cjs', 'node --test'],
  ])('%s: %s', async (program) => {
    const { code, out, err } = await terminal.run('run', '--', resolve(PROGRAMS, program));
    expect(err).toBe('');
    expect(out.split('\n')).toEqual(readFileSync(resolve(PROGRAMS, `${program}.txt`), 'latin1').split('\n'));
    expect(code).toBe(0);
  });
});
