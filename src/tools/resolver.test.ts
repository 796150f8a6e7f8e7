import { describe, expect, it } from 'vitest';
import { EchoKernel, hostRecord } from '../../test/fixtures/echo-kernel.ts';
import { HostTable, resolveHost } from './resolver.ts';

const HOSTS = [
  hostRecord('localhost', '127.0.0.1', '::1'),
  hostRecord('gw', '10.0.0.1', '10.0.1.1', 'fd00::1'),
  hostRecord('gw.shop.lan', '10.0.0.1', 'fd00::1'),
  hostRecord('four', '10.0.0.4'),
];

describe('the table of hosts', () => {
  const table = new HostTable(HOSTS);

  it('gives the first address of a family', () => {
    expect(table.addressOf('gw', 'inet')).toBe('10.0.0.1');
    expect(table.addressOf('GW.', 'inet6')).toBe('fd00::1');
    expect(table.addressOf('four', 'inet6')).toBeNull();
    expect(table.addressOf('none', 'inet')).toBeNull();
  });

  it('has localhost and the names below it', () => {
    for (const name of ['localhost', 'Localhost.', 'a.localhost', 'a.b.localhost.localdomain']) {
      expect(table.addressOf(name, 'inet')).toBe('127.0.0.1');
      expect(table.addressOf(name, 'inet6')).toBe('::1');
    }
    expect(table.addressOf('a..localhost', 'inet')).toBeNull();
  });

  it('lets addresses of the family through, in canonical form', () => {
    expect(table.addressOf('10.9.9.9', 'inet')).toBe('10.9.9.9');
    expect(table.addressOf('10.9.9.9', 'inet6')).toBeNull();
    expect(table.addressOf('127.1', 'inet')).toBe('127.0.0.1');
    expect(table.addressOf('0x7f.1', 'inet')).toBe('127.0.0.1');
    expect(table.addressOf('010.0.0.1', 'inet')).toBe('8.0.0.1');
    expect(table.addressOf('256.1', 'inet')).toBeNull();
    expect(table.addressOf('FD00::0:9', 'inet6')).toBe('fd00::9');
    expect(table.addressOf('fe80::9%eth0', 'inet6')).toBe('fe80::9%eth0');
    expect(table.addressOf('fe80::%', 'inet6')).toBeNull();
  });

  it('names addresses by the first host that has them', () => {
    expect(table.nameOf('10.0.1.1')).toBe('gw');
    expect(table.nameOf('127.9.9.9')).toBe('localhost');
    expect(table.nameOf('::1')).toBe('localhost');
    expect(table.nameOf('10.0.0.9')).toBeNull();
  });
});

describe('resolveHost', () => {
  const { client } = new EchoKernel(HOSTS, () => []);

  it('finds names, of any family or of one, and takes addresses', async () => {
    expect(await resolveHost(client, 'gw')).toMatchObject({ address: { family: 4, w3: 0x0a000001 } });
    expect(await resolveHost(client, 'gw', 'inet6')).toMatchObject({ address: { family: 6, w3: 1 } });
    expect(await resolveHost(client, 'GW.', 'inet')).toMatchObject({ address: { family: 4, w3: 0x0a000001 } });
    expect(await resolveHost(client, 'a.localhost')).toMatchObject({ address: { family: 4, w3: 0x7f000001 } });
    expect(await resolveHost(client, 'fe80::9%eth0')).toMatchObject({ address: { family: 6, w3: 9, scopeId: 2 } });
    expect(await resolveHost(client, '10.9.9.9', 'inet')).toMatchObject({ address: { family: 4 } });
    expect(await resolveHost(client, '127.1')).toMatchObject({ address: { family: 4, w3: 0x7f000001 } });
  });

  it('rejects others with ENOTFOUND', async () => {
    const message = (host: string): string => `${host}: no such host in this lab`;
    for (const [host, family] of [['none'], ['four', 'inet6'], ['10.9.9.9', 'inet6'], ['fe80::9%eth7']] as const) {
      await expect(resolveHost(client, host, family)).rejects.toMatchObject({
        code: 'ENOTFOUND',
        message: message(host),
      });
    }
  });

  it('asks for no table when the host is an address', async () => {
    const asked: string[] = [];
    const counting = {
      ...client,
      control: (operation: string, request: object) => {
        asked.push(operation);
        return client.control(operation as never, request as never);
      },
    };
    await resolveHost(counting as typeof client, '10.0.0.1');
    expect(asked).toEqual(['interface.names']);
  });
});
