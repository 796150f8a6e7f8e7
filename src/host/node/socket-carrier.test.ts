import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { Carrier } from '../contract.ts';
import { listenSocket } from './socket-carrier.ts';

it('short writes that wait count with the memory that they take, until all is sent', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'mk-socket-'));
  const path = join(folder, 'a.sock');
  let taken: (carrier: Carrier) => void = () => undefined;
  const accepted = new Promise<Carrier>((resolve) => {
    taken = resolve;
  });
  const listening = await listenSocket({ kind: 'unix', path }, taken);
  const peer = connect(path);
  const carrier = await accepted;
  // Fills the socket of the host, whose other end reads nothing yet.
  carrier.write(new Uint8Array(8 << 20), null);
  const before = carrier.queuedBytes;
  expect(before).toBeGreaterThan(0);
  for (let i = 0; i < 1000; i++) carrier.write(new Uint8Array(32), new Uint8Array(0));
  expect(carrier.queuedBytes - before).toBeGreaterThanOrEqual(1000 * 256);
  const drained = new Promise<number>((resolve) => {
    carrier.onDrain = () => resolve(carrier.queuedBytes);
  });
  peer.resume();
  expect(await drained).toBe(0);
  carrier.write(new Uint8Array(8 << 20), null);
  expect(carrier.queuedBytes).toBeLessThanOrEqual(8 << 20);
  carrier.close();
  peer.destroy();
  listening.close();
  rmSync(folder, { recursive: true, force: true });
});
