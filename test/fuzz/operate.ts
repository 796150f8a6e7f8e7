/**
 * The operator: what somebody with ifconfig, route, arp, sysctl and `mk break` does while frames come in. Never to eth2, over
 * which the honest connection runs.
 */

import { MultikernelError } from '../../src/base/errors.ts';
import type { Kernel } from '../../src/kernel/kernel.ts';
import { formatAddress } from '../../src/wire/ipv4.ts';
import { type TextOperation, type TextRequests, textControl } from '../fixtures/text-control.ts';
import * as cast from './cast.ts';
import type { Chance } from './chance.ts';
import { randomSysctl } from './config.ts';

type Request = { [Op in TextOperation]: readonly [Op, TextRequests[Op]['request']] }[TextOperation];

/** Something done to every kernel of the list alike. */
export function operate(chance: Chance, kernels: readonly Kernel[]): void {
  const [operation, request] = drawRequest(chance);
  for (const kernel of kernels) {
    try {
      textControl(kernel, operation, request as never);
    } catch (error) {
      // What cannot be done now is refused, to all alike.
      if (!(error instanceof MultikernelError)) throw error;
    }
  }
}

function drawRequest(chance: Chance): Request {
  const n = chance.below(2);
  const name = cast.INTERFACES[n] as string;
  const address = formatAddress(cast.neighbor(chance, n));
  switch (chance.below(10)) {
    case 0:
      return ['interface.set', { name, up: chance.yes(0.3) }];
    case 1:
      return ['interface.set', { name, up: true }];
    case 2: {
      const second = { address: formatAddress(cast.SECOND_ADDRESS), prefixLength: cast.PREFIX_LENGTH };
      return [
        'interface.set',
        chance.yes(0.5) ? { name: 'eth0', removeAddress: second } : { name: 'eth0', addAddress: second },
      ];
    }
    case 3:
      return ['route.add', drawRoute(chance)];
    case 4:
      return ['route.delete', { ...drawRoute(chance), gateway: '' }];
    case 5:
      return [
        'neighbor.add',
        { address, mac: '02:aa:00:00:00:01', temporary: chance.yes(0.8), published: chance.yes(0.3) },
      ];
    case 6:
      return ['neighbor.delete', { address }];
    case 7:
      return ['filter.add', { id: 'one', from: [address], action: chance.pick(['drop', 'reject'] as const) }];
    case 8:
      return ['filter.remove', { id: 'one' }];
    default: {
      const [variable, value] = randomSysctl(chance);
      return ['sysctl.set', { name: variable, value }];
    }
  }
}

function drawRoute(chance: Chance): TextRequests['route.add']['request'] {
  const prefixLength = chance.pick([8, 16, 24, 32]);
  const mask = -1 << (32 - prefixLength);
  const net = chance.pick([cast.ROUTED_NET, cast.ip('172.16.0.0'), cast.ip('10.0.0.0'), cast.ip('8.8.8.8')]) & mask;
  const gateway = chance.pick([cast.GATEWAY, cast.OTHER_GATEWAY, cast.ip('10.0.0.5'), cast.ip('127.0.0.1')]);
  const kind = chance.pick(['unicast', 'unicast', 'reject', 'blackhole'] as const);
  return { destination: formatAddress(net), prefixLength, gateway: formatAddress(gateway), kind };
}
