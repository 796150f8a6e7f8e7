import { expect, it } from 'vitest';
import { hexView, toHex } from '../../test/fixtures/hex.ts';
import * as bpdu from './bpdu.ts';

const CONFIGURATION = `0180c2000000 020000000001 0026 424203
  0000 00 00 81 8000 0200000000aa 00000037 8000 020000000001 8002 0100 1400 0200 0f00 0000000000000000`;

it('reads a configuration message as it was written on a wire', () => {
  const view = hexView(CONFIGURATION);
  expect(bpdu.check(view, 0, view.byteLength)).toBe(0);
  const at = bpdu.FRAME_OFFSET;
  expect(at).toBe(17);
  expect([bpdu.type(view, at), bpdu.flags(view, at)]).toEqual([0, 0x81]);
  expect([bpdu.rootHi(view, at), bpdu.rootLo(view, at), bpdu.rootPathCost(view, at)]).toEqual([0x80000200, 0xaa, 55]);
  expect([bpdu.bridgeHi(view, at), bpdu.bridgeLo(view, at), bpdu.port(view, at)]).toEqual([0x80000200, 1, 0x8002]);
  const times = [bpdu.messageAge, bpdu.maxAge, bpdu.helloTime, bpdu.forwardDelay].map((read) => read(view, at) / 256);
  expect(times).toEqual([1, 20, 2, 15]);
});

it('writes the same', () => {
  const view = new DataView(new ArrayBuffer(60));
  const at = bpdu.FRAME_OFFSET;
  bpdu.setFrame(view, 0, 0x0200, 1, bpdu.CONFIGURATION_BYTES);
  bpdu.setType(view, at, bpdu.TYPE_CONFIGURATION);
  bpdu.setFlags(view, at, bpdu.FLAG_TOPOLOGY_CHANGE | bpdu.FLAG_ACKNOWLEDGE);
  bpdu.setRoot(view, at, 0x80000200, 0xaa, 55);
  bpdu.setSender(view, at, 0x80000200, 1, 0x8002);
  bpdu.setTimes(view, at, 256, 20 * 256, 2 * 256, 15 * 256);
  expect(toHex(new Uint8Array(view.buffer))).toBe(CONFIGURATION.replace(/\s/g, ''));
});

it('reads a notification, and refuses what is none', () => {
  const reason = (text: string): string => {
    const view = hexView(text);
    return bpdu.CHECK_REASONS[bpdu.check(view, 0, view.byteLength)] as string;
  };
  const addresses = '0180c2000000 020000000001';
  expect(reason(`${addresses} 0007 424203 00000080`)).toBe('');
  expect(reason(`${addresses} 0007 424203 000000`)).toBe('bpdu-short');
  expect(reason(`${addresses} 0007 aaaa03 00000080`)).toBe('bpdu-bad-llc');
  expect(reason(`${addresses} 0007 424203 00010080`)).toBe('bpdu-bad-protocol');
  expect(reason(`${addresses} 0007 424203 00000042`)).toBe('bpdu-bad-type');
  expect(reason(`${addresses} 0007 424203 00000000`)).toBe('bpdu-short');
  // The length says less than a configuration message has.
  expect(reason(CONFIGURATION.replace('0026', '0025'))).toBe('bpdu-short');
  expect(reason(CONFIGURATION.replace('0026', '0100'))).toBe('bpdu-short');
});
