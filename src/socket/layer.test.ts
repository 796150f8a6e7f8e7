import { describe, expect, it } from 'vitest';
import { addressOf } from '../../test/fixtures/socket-address.ts';
import { textControl } from '../../test/fixtures/text-control.ts';
import { Errno } from '../base/errors.ts';
import { Simulation } from '../host/sim/simulation.ts';
import { Kernel } from '../kernel/kernel.ts';
import { LoopbackDevice } from '../link/loopback.ts';
import { Arena } from '../mem/arena.ts';
import type { SocketLayer } from './socket.ts';

function layer(): SocketLayer {
  const arena = Arena.create(64 << 20);
  const kernel = Kernel.create({ name: 'k', arena, host: new Simulation(1).host(), ipv6: true });
  kernel.attach(new LoopbackDevice(arena), 'eth0');
  textControl(kernel, 'interface.set', { name: 'eth0', addAddress: { address: '10.0.0.1', prefixLength: 24 } });
  return kernel.sockets;
}

describe('interfaces of a socket layer', () => {
  it('are found by name, by index, and by address', () => {
    const sockets = layer();
    const eth0 = sockets.interfaceIndex('eth0');
    expect(eth0).toBeGreaterThan(0);
    expect(sockets.interfaceIndex(String(eth0))).toBe(eth0);
    expect(sockets.interfaceName(eth0)).toBe('eth0');
    expect(sockets.interfaceWithAddress(addressOf('10.0.0.1'))).toBe(eth0);
    expect(sockets.interfaceWithAddress(addressOf('::1'))).toBe(sockets.interfaceIndex('lo0'));
  });

  it('that do not exist are 0, or have no name', () => {
    const sockets = layer();
    expect([sockets.interfaceIndex('nosuch'), sockets.interfaceIndex(''), sockets.interfaceIndex('99')]).toEqual([
      0, 0, 0,
    ]);
    expect(sockets.interfaceName(99)).toBe('');
    expect(sockets.interfaceWithAddress(addressOf('10.0.0.2'))).toBe(0);
    expect(sockets.interfaceWithAddress(addressOf('240.0.0.1'))).toBe(0);
  });
});

describe('addresses that a kernel cannot name', () => {
  it('have no interface to bind to and no route', () => {
    const sockets = layer();
    const nowhere = addressOf('240.0.0.1', 80);
    expect(sockets.stream().bind(nowhere)).toBe(-Errno.EADDRNOTAVAIL);
    expect(sockets.stream().connect(nowhere)).toBe(-Errno.ENETUNREACH);
    const socket = sockets.datagram(6);
    expect(socket.send(new Uint8Array(1), 0, 1, addressOf('fe80::1%99', 80))).toBe(-Errno.ENETUNREACH);
    expect(socket.bind(addressOf('fe80::1%99', 80))).toBe(-Errno.ENODEV);
  });

  it('come last in the order of destinations, in their own order', () => {
    const texts = ['fe80::1%99', '10.0.0.9', '240.0.0.1', '10.0.0.9'];
    const given = texts.map((text) => addressOf(text));
    const ordered = layer().orderDestinations(given);
    expect(ordered.map((address) => given.indexOf(address))).toEqual([1, 3, 0, 2]);
  });
});
