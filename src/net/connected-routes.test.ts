import { beforeEach, describe, expect, it } from 'vitest';
import { ConnectedRoutes } from './connected-routes.ts';
import type { Interface } from './interface.ts';
import { makeRoute, RTF_CONNECTED, RTF_GATEWAY, RTF_HOST, RTF_LOCAL, RTF_STATIC, RTF_UP } from './route.ts';
import { RouteTable } from './route-table.ts';

const LO = { name: 'lo0' } as Interface;
const ETH0 = { name: 'eth0' } as Interface;
const ETH1 = { name: 'eth1' } as Interface;
const OWN = 0x0a000001;
const NETWORK = 0x0a000000;

let routes: RouteTable;
let connected: ConnectedRoutes;

beforeEach(() => {
  routes = new RouteTable();
  connected = new ConnectedRoutes(routes, 32);
  connected.addHost(OWN, LO);
  connected.addPrefix(NETWORK, 24, ETH0);
});

describe('The routes of an address', () => {
  it('are the address itself through lo0, and its prefix on the link', () => {
    expect(routes.find(OWN, 32)).toMatchObject({ gateway: OWN, iface: LO, flags: RTF_UP | RTF_HOST | RTF_LOCAL });
    expect(routes.find(NETWORK, 24)).toMatchObject({ gateway: 0, iface: ETH0, flags: RTF_UP | RTF_CONNECTED });
  });

  it('go with it', () => {
    connected.removeHost(OWN);
    connected.removePrefix(NETWORK, 24, ETH0, null);
    expect(routes.count).toBe(0);
  });

  it('pass to another interface with an address in the prefix', () => {
    connected.removePrefix(NETWORK, 24, ETH0, ETH1);
    expect(routes.find(NETWORK, 24)).toMatchObject({ iface: ETH1, flags: RTF_UP | RTF_CONNECTED });
  });

  it('stay as they are while another address of the interface is in the prefix', () => {
    const before = routes.find(NETWORK, 24);
    connected.removePrefix(NETWORK, 24, ETH0, ETH0);
    expect(routes.find(NETWORK, 24)).toBe(before);
  });

  it('are not confused with routes of other origin for the same prefix', () => {
    routes.remove(NETWORK, 24);
    routes.remove(OWN, 32);
    routes.add(makeRoute(NETWORK, 24, 0x0b000001, ETH0, RTF_UP | RTF_GATEWAY | RTF_STATIC, 32));
    routes.add(makeRoute(OWN, 32, 0x0b000001, ETH0, RTF_UP | RTF_GATEWAY | RTF_STATIC, 32));
    connected.removeHost(OWN);
    connected.removePrefix(NETWORK, 24, ETH0, null);
    expect(routes.list().map(({ prefixLength, flags }) => [prefixLength, flags])).toEqual([
      [24, RTF_UP | RTF_GATEWAY | RTF_STATIC],
      [32, RTF_UP | RTF_GATEWAY | RTF_STATIC | RTF_HOST],
    ]);
  });
});
