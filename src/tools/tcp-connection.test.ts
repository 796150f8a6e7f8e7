import { expect, it } from 'vitest';
import type { KernelClient } from '../rump/kernel-client.ts';
import { TcpConnection } from './tcp-connection.ts';

it('is torn down while nobody answers its handshake', async () => {
  let closed = 0;
  const client = {
    control: async () => [],
    open: () => ({ send: () => {}, close: () => void closed++ }),
  } as unknown as KernelClient;
  const connection = new TcpConnection(client, '10.0.0.1', 80);
  const said: string[] = [];
  connection.on('error', (error) => said.push(error.message));
  await new Promise((turn) => setImmediate(turn));
  connection.destroy(new Error('enough'));
  await new Promise((done) => connection.on('close', done));
  expect([said, closed]).toEqual([['enough'], 1]);
});
