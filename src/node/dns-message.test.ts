/** Questions and responses of DNS, byte by byte. */

import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toAnswer } from './dns-answer.ts';
import { type DnsMessage, decodeReply, encodeName, encodeQuestion, TYPES } from './dns-message.ts';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');
const NAME = encodeName('v.test') as Buffer;
const QUESTION = encodeQuestion(0x1234, NAME, TYPES.A as number);
const ASKED = '01 76 04 74657374 00';

/** A response of one record, after the header's flags. */
function respond(flags: string, record: string, asked: string = `${ASKED} 0001 0001`): Buffer {
  const count = record === '' ? '0000' : '0001';
  return hex(`1234 ${flags} 0001 ${count} 0000 0000 ${asked} ${record}`);
}

function read(bytes: Buffer, question: Buffer = QUESTION): DnsMessage {
  const reply = decodeReply(bytes, question);
  if (typeof reply === 'string') throw new Error(reply);
  return reply;
}

const GOOD = 'c00c 0001 0001 0000003c 0004 c0000201';

describe('a question', () => {
  it('is a header, a name, a type and the class IN', () => {
    expect(QUESTION.toString('hex')).toBe('123401000001000000000000017604746573740000010001');
    expect(encodeQuestion(1, NAME, TYPES.CAA as number).subarray(-4)).toEqual(hex('0101 0001'));
  });

  it.each([
    ['', '00'],
    ['.', '00'],
    ['a.b.', '01 61 01 62 00'],
    ['_x._tcp', '02 5f78 04 5f746370 00'],
    ['a\\.b', '03 612e62 00'],
    ['\\097', '01 61 00'],
  ])('of the name %j', (name, wire) => {
    expect(encodeName(name)).toEqual(hex(wire));
  });

  it.each(['a..b', '.a', '..', 'a b', 'a:b', 'a@b', 'a\\', '\\25.a', '\\256', '\\000', 'ä', 'a\0b', 'x'.repeat(64)])(
    'has no name %j',
    (name) => expect(encodeName(name)).toBeNull(),
  );

  it('has a name of 255 bytes at most', () => {
    const labels = ['x'.repeat(63), 'x'.repeat(63), 'x'.repeat(63)].join('.');
    expect(encodeName(`${labels}.${'x'.repeat(61)}`)).toHaveLength(255);
    expect(encodeName(`${labels}.${'x'.repeat(62)}`)).toBeNull();
  });
});

describe('a response', () => {
  it('has its records', () => {
    expect(read(respond('8180', GOOD))).toEqual({
      truncated: false,
      rcode: 0,
      answers: [{ type: 1, class: 1, ttlSec: 60, data: '192.0.2.1' }],
    });
    expect(read(respond('8383', ''))).toEqual({ truncated: true, rcode: 3, answers: [] });
  });

  it.each([
    ['another number', hex(`1235 8180 0001 0000 0000 0000 ${ASKED} 0001 0001`)],
    ['no response', respond('0100', GOOD)],
    ['another name', respond('8180', GOOD, '01 77 04 74657374 00 0001 0001')],
    ['another type', respond('8180', GOOD, `${ASKED} 001c 0001`)],
    ['another class', respond('8180', GOOD, `${ASKED} 0001 0003`)],
    ['nothing', hex('')],
    ['one byte', hex('12')],
  ])('of a stranger: %s', (_what, bytes) => {
    expect(decodeReply(bytes, QUESTION)).toBe('stranger');
  });

  it('to a question in other letters is one', () => {
    expect(read(respond('8180', GOOD, '01 56 04 54657354 00 0001 0001')).answers).toHaveLength(1);
  });

  it.each([
    ['its number alone', hex('1234')],
    ['half of a header', respond('8180', GOOD).subarray(0, 11)],
    ['another operation', respond('a180', GOOD)],
    ['no question', hex(`1234 8180 0000 0001 0000 0000 ${ASKED} ${GOOD.slice(4)}`)],
    ['a record fewer than it says', hex(`1234 8180 0001 0002 0000 0000 ${ASKED} 0001 0001 ${GOOD}`)],
    ['half of a record', respond('8180', GOOD).subarray(0, -1)],
    ['a short address', respond('8180', 'c00c 0001 0001 0000003c 0003 c00002')],
    ['a class that is none', respond('8180', 'c00c 0001 004d 0000003c 0004 c0000201')],
    ['a pointer to itself', respond('8180', 'c018 0001 0001 0000003c 0004 c0000201')],
    ['a pointer into the header', respond('8180', 'c002 0001 0001 0000003c 0004 c0000201')],
    ['two pointers in a circle', respond('8180', '0161c018 0001 0001 0000003c 0004 c0000201')],
    ['a name beyond its record', respond('8180', 'c00c 0002 0001 0000003c 0003 026e7300')],
    ['a text beyond its record', respond('8180', 'c00c 0010 0001 0000003c 0002 0261')],
    ['a text that none is in', respond('8180', 'c00c 0010 0001 0000003c 0000')],
    ['a property without a name', respond('8180', 'c00c 0101 0001 0000003c 0003 000061')],
  ])('that is malformed: %s', (_what, bytes) => {
    expect(decodeReply(bytes, QUESTION)).toBe('malformed');
  });

  it('has names of 255 bytes at most', () => {
    const label = `3f ${'78'.repeat(63)}`;
    const owner = (last: number): string =>
      `${label} ${label} ${label} ${last.toString(16)} ${'78'.repeat(last)} 00 0001 0001 0000003c 0004 c0000201`;
    expect(read(respond('8180', owner(61))).answers).toHaveLength(1);
    expect(decodeReply(respond('8180', owner(62)), QUESTION)).toBe('malformed');
  });

  it('has certificates (RFC 6698)', () => {
    const question = encodeQuestion(0x1234, NAME, TYPES.TLSA as number);
    const bytes = respond('8180', 'c00c 0034 0001 0000003c 0005 03 01 02 abcd', `${ASKED} 0034 0001`);
    const data = new Uint8Array([0xab, 0xcd]).buffer;
    const records = [{ certUsage: 3, selector: 1, match: 2, data }];
    expect(toAnswer(read(bytes, question), 'v.test', 'TLSA')).toEqual({ records, ttls: [] });
  });

  it('is read or refused, whatever it is', () => {
    const good = respond('8180', GOOD);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(good.length), fc.nat(good.length), (noise, from, to) => {
        const bytes = Buffer.concat([good.subarray(0, from), noise, good.subarray(to)]);
        const reply = decodeReply(bytes, QUESTION);
        return typeof reply === 'string' || Array.isArray(reply.answers);
      }),
    );
  });
});
