import { describe, expect, it } from 'vitest';
import { Transcript } from '../../../test/fixtures/tcp-transcript.ts';

/**
 * ICMP errors in every state. They end a connection only while it is being opened; later they are advice that is told when
 * the connection ends for another reason (RFC 9293 3.9.2.2, RFC 1122 4.2.3.9, RFC 5927 section 5.2).
 */
const UNREACHABLE = 3;
const MESSAGES: readonly (readonly [name: string, type: number, code: number, errno: string])[] = [
  ['network unreachable', UNREACHABLE, 0, 'ENETUNREACH'],
  ['host unreachable', UNREACHABLE, 1, 'EHOSTUNREACH'],
  ['protocol unreachable', UNREACHABLE, 2, 'ENOPROTOOPT'],
  ['port unreachable', UNREACHABLE, 3, 'ECONNREFUSED'],
  ['source route failed', UNREACHABLE, 5, 'EOPNOTSUPP'],
  ['network unknown', UNREACHABLE, 6, 'ENETUNREACH'],
  ['host unknown', UNREACHABLE, 7, 'EHOSTDOWN'],
  ['network prohibited', UNREACHABLE, 9, 'ENETUNREACH'],
  ['host prohibited', UNREACHABLE, 10, 'EHOSTUNREACH'],
  ['communication prohibited', UNREACHABLE, 13, 'EHOSTUNREACH'],
  ['a code that nobody knows', UNREACHABLE, 77, 'EHOSTUNREACH'],
  ['time exceeded', 11, 0, 'EHOSTUNREACH'],
  ['parameter problem', 12, 0, 'EPROTO'],
  ['source quench (RFC 6633)', 4, 0, ''],
  ['something else', 9, 0, ''],
];
const HARD: readonly string[] = ['protocol unreachable', 'port unreachable'];

const OPENING: Readonly<Record<string, (t: Transcript) => unknown>> = {
  SYN_SENT: (t) => t.synSent(),
  'SYN_RECEIVED, both having opened': (t) => t.simultaneous(),
};

/** With something in flight: data, or the FIN. */
const SYNCHRONIZED: Readonly<Record<string, (t: Transcript) => unknown>> = {
  ESTABLISHED: (t) => t.established().write(10),
  CLOSE_WAIT: (t) => t.closeWait().write(10),
  FIN_WAIT_1: (t) => t.finWait1(),
  CLOSING: (t) => t.closing(),
  LAST_ACK: (t) => t.lastAck(),
};

const QUIET: Readonly<Record<string, (t: Transcript) => unknown>> = {
  CLOSED: () => {},
  LISTEN: (t) => t.listen(),
  ESTABLISHED: (t) => t.established(),
  CLOSE_WAIT: (t) => t.closeWait(),
  FIN_WAIT_2: (t) => t.finWait2(),
  TIME_WAIT: (t) => t.timeWait(),
};

describe.each(Object.entries(OPENING))('ICMP in %s', (state, make) => {
  it.each(MESSAGES)('%s', (_name, type, code, errno) => {
    const t = new Transcript();
    make(t);
    t.icmp(type, code, 0);
    if (errno === '') {
      expect(t.state).toBe(state.split(',')[0]);
    } else {
      expect([t.state, t.error, t.events]).toEqual(['CLOSED', errno, ['connected']]);
      expect(t.ip.openPaths).toBe(0);
    }
    t.expectNothing();
  });

  it('about another segment is not believed (RFC 5927 section 4.1)', () => {
    const t = new Transcript();
    make(t);
    t.icmp(UNREACHABLE, 3, 1);
    t.icmp(UNREACHABLE, 3, -1);
    expect(t.state).toBe(state.split(',')[0]);
  });
});

describe('ICMP about a half-open connection', () => {
  it.each(MESSAGES)('%s', (name, type, code) => {
    const t = new Transcript().synReceived();
    t.icmp(type, code, 5);
    expect(t.state).toBe('SYN_RECEIVED');
    t.icmp(type, code, 0);
    const forgets = HARD.includes(name);
    expect(t.state).toBe(forgets ? 'LISTEN' : 'SYN_RECEIVED');
    expect(t.count('synQueueUnreachable')).toBe(forgets ? 1 : 0);
    t.expectNothing();
  });
});

describe.each(Object.entries(SYNCHRONIZED))('ICMP in %s with something in flight', (state, make) => {
  it.each(MESSAGES)('%s', (_name, type, code, errno) => {
    const t = new Transcript({ sysctl: { retries: 1 } });
    make(t);
    const sent = t.skip();
    expect(sent).toBeLessThanOrEqual(1);
    t.icmp(type, code, 1 + 70_000);
    t.icmp(type, code, 0);
    expect(t.c.softError).toBe(0);
    t.icmp(type, code, 1);
    t.expectNothing();
    expect(t.state).toBe(state);
    // It is why the connection failed, if it fails.
    t.after(10_000);
    expect(t.error).toBe(errno === '' ? 'ETIMEDOUT' : errno);
  });

  it('is forgotten when the peer answers after all', () => {
    const t = new Transcript({ sysctl: { retries: 1 } });
    make(t);
    t.icmp(UNREACHABLE, 1, 1);
    expect(t.c.softError).toBeLessThan(0);
    t.send('.');
    expect(t.c.softError).toBe(0);
  });
});

describe.each(Object.entries(QUIET))('ICMP in %s with nothing in flight', (state, make) => {
  it.each(MESSAGES)('%s', (_name, type, code) => {
    const t = new Transcript();
    make(t);
    t.skip();
    for (const seq of [0, 1, 2, 3, 500]) t.icmp(type, code, seq);
    t.expectNothing();
    expect(t.state).toBe(state);
    expect(t.conn?.softError ?? 0).toBe(0);
  });
});

describe('fragmentation needed', () => {
  it.each(Object.keys(SYNCHRONIZED))('in %s lowers the segment size and sends again what is too long', (state) => {
    const t = new Transcript();
    (SYNCHRONIZED[state] as (t: Transcript) => unknown)(t);
    t.skip();
    if (state === 'ESTABLISHED' || state === 'CLOSE_WAIT') {
      t.c.options.noDelay = true;
      t.write(1460);
      t.skip();
    }
    t.ip.mtuBytes = 1040;
    t.icmp(UNREACHABLE, 4, 1, 1040);
    expect([t.state, t.c.size.mss, t.count('mtuReductions')]).toEqual([state, 1000, 1]);
    expect(t.captured.map((c) => c.len)).toEqual(state === 'ESTABLISHED' || state === 'CLOSE_WAIT' ? [1000, 460] : []);
  });

  it('about what was acknowledged long ago changes nothing', () => {
    const t = new Transcript().established();
    t.ip.mtuBytes = 1040;
    t.icmp(UNREACHABLE, 4, -70_000, 1040);
    expect(t.count('mtuReductions')).toBe(0);
  });
});

describe('a message that quotes too little', () => {
  it('belongs to nobody', () => {
    const t = new Transcript().synSent();
    t.stack.icmpError(
      { type: 3, code: 3, nextHopMtuBytes: 0, src: 0x0a000001, dst: 0x0a000002, from: 0, quotedAt: 0, quotedBytes: 7 },
      t.nowUs,
    );
    expect(t.state).toBe('SYN_SENT');
  });
});
