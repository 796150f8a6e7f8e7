/**
 * Waits for a kernel in another thread or process without waiting: asks whether its event loop turns.
 *
 * Thread: the client's. Read first: inherited-kernel.ts.
 */

import { randomBytes } from 'node:crypto';
import { ClientHandshake } from '../rump/client-handshake.ts';
import { FEATURE_SOCKETS } from '../rump/protocol.ts';
import { parseServerUrl } from '../rump/url.ts';
import { PipeCarrier } from './pipe-carrier.ts';

/**
 * Call `answered` once the kernel at `url`, a unix socket, answers or has gone. Keeps nothing alive.
 */
export function knock(url: string, answered: () => void): void {
  const place = parseServerUrl(url);
  if (place.kind !== 'unix') return;
  let carrier: PipeCarrier;
  try {
    carrier = new PipeCarrier(place.path);
  } catch {
    answered();
    return;
  }
  let told = false;
  const tell = (): void => {
    if (told) return;
    told = true;
    carrier.close();
    answered();
  };
  carrier.onBytes = tell;
  carrier.onClosed = tell;
  const rng = { next32: () => randomBytes(4).readInt32LE() };
  carrier.write(new ClientHandshake({ rng, key: place.key, features: FEATURE_SOCKETS }).hello(), null);
  carrier.start();
}
