/** A ping as a stream of events, with the timers of this thread. Thread: the client's. */

import type { KernelClient } from '../rump/kernel-client.ts';
import { openLater } from '../rump/late-stream.ts';
import type { IpAddress } from '../sys/control.ts';
import { familyName, type InterfaceNames } from './address-text.ts';
import { Echo, type EchoEnds, type PingEvent, type PingOptions, type StartTimer } from './echo.ts';
import { resolveHost } from './resolver.ts';
import { StreamIterable } from './stream-iterable.ts';

const IDENTIFIERS = 0x10000;

const startTimer: StartTimer = (delayMs, run) => {
  const timer = setTimeout(run, delayMs);
  return () => clearTimeout(timer);
};

let lastIdentifier: number = Math.floor(Math.random() * IDENTIFIERS);

/** The addresses of options. Rejects with ENOTFOUND. */
async function endsOf(client: KernelClient, options: PingOptions): Promise<{ ends: EchoEnds; names: InterfaceNames }> {
  const { host, family, source, gateway } = options;
  const { address: to, names } = await resolveHost(client, host, family);
  const own = family ?? familyName(to);
  const other = async (name: string | undefined): Promise<IpAddress | null> =>
    name === undefined ? null : (await resolveHost(client, name, own)).address;
  return { ends: { to, from: await other(source), gateway: await other(gateway) }, names };
}

/** ICMP echo, until `count` answers came or the iterator is closed. `count` 0: for ever. Ends with EINVAL for wrong options. */
export function pingStream(client: KernelClient, options: PingOptions): StreamIterable<PingEvent> {
  const count = options.count === 0 ? Number.MAX_SAFE_INTEGER : options.count;
  return new StreamIterable((sink) =>
    openLater(sink, endsOf(client, options), ({ ends, names }) => {
      lastIdentifier = (lastIdentifier + 1) % IDENTIFIERS;
      const context = { client, startTimer, names, identifier: lastIdentifier };
      const echo = new Echo(context, { ...options, count }, ends, (event) => {
        sink.event(event);
        if (event.type === 'end') sink.end(null);
      });
      echo.start((error) => sink.end(error));
      return { send: () => {}, close: () => echo.stop() };
    }),
  );
}
