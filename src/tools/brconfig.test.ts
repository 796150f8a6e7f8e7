import { beforeEach, describe, expect, it } from 'vitest';
import { A, B, BROADCAST, frame } from '../../test/fixtures/bridge-bed.ts';
import { ToolBed } from '../../test/fixtures/tool-bed.ts';
import { brconfig } from './brconfig.ts';
import { ifconfig } from './ifconfig.ts';

let bed: ToolBed;

beforeEach(async () => {
  bed = new ToolBed(3);
  await bed.quietly(ifconfig, 'bridge0 create');
  await bed.quietly(brconfig, 'bridge0 add shmif0 add shmif1 up');
});

describe('brconfig', () => {
  it('shows a bridge as NetBSD does', async () => {
    bed.receive(0, frame(BROADCAST, A));
    bed.seconds(2);
    bed.receive(1, frame(BROADCAST, B));
    await bed.quietly(brconfig, 'bridge0 static shmif1 0:1:2:3:4:5 protect shmif0');
    expect((await bed.run(brconfig, 'bridge0')).text).toBe(
      `bridge0: flags=8843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST>
	Configuration:
		priority 32768 hellotime 2 fwddelay 15 maxage 20
	Interfaces:
		shmif0 flags=b<LEARNING,DISCOVER,PROTECTED>
			port 2 priority 128
		shmif1 flags=3<LEARNING,DISCOVER>
			port 3 priority 128
	Address cache (max cache: 100, timeout: 1200):
		00:01:02:03:04:05 shmif1 0 flags=1<STATIC>
		02:00:00:00:0b:02 shmif1 1200 flags=0<>
		02:00:00:00:0a:01 shmif0 1198 flags=0<>
`,
    );
    expect((await bed.run(brconfig, 'bridge0 addr')).text).toBe(
      `	00:01:02:03:04:05 shmif1 0 flags=1<STATIC>
	02:00:00:00:0b:02 shmif1 1200 flags=0<>
	02:00:00:00:0a:01 shmif0 1198 flags=0<>
`,
    );
    expect((await bed.run(brconfig, '-a')).text.split('\n')[0]).toBe(
      'bridge0: flags=8843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST>',
    );
  });

  it('prints no line for an empty cache', async () => {
    expect(await bed.run(brconfig, 'bridge0 addr')).toEqual({ text: '', errors: '', code: 0 });
  });

  it('changes what it is told', async () => {
    await bed.quietly(brconfig, 'bridge0 priority 0x1000 hellotime 3 fwddelay 010 maxage 21 timeout 60 maxaddr 5');
    await bed.quietly(
      brconfig,
      'bridge0 stp shmif0 -learn shmif1 -discover shmif1 ifpriority shmif0 1 ifpathcost shmif0 7',
    );
    bed.seconds(1);
    expect((await bed.run(brconfig, 'bridge0')).text).toBe(
      `bridge0: flags=8843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST>
	Configuration:
		priority 4096 hellotime 3 fwddelay 8 maxage 21
	Interfaces:
		shmif0 flags=7<LEARNING,DISCOVER,STP>
			port 2 priority 1 listening
		shmif1 flags=0<>
			port 3 priority 128
	Address cache (max cache: 5, timeout: 60):
`,
    );
    await bed.quietly(brconfig, 'bridge0 -stp shmif0 learn shmif1 discover shmif1 delete shmif0 down');
    expect((await bed.run(brconfig, 'bridge0')).text).toBe(
      `bridge0: flags=8802<BROADCAST,SIMPLEX,MULTICAST>
	Configuration:
		priority 4096 hellotime 3 fwddelay 8 maxage 21
	Interfaces:
		shmif1 flags=3<LEARNING,DISCOVER>
			port 3 priority 128
	Address cache (max cache: 5, timeout: 60):
`,
    );
  });

  it('forgets addresses: deladdr, flush, flushall', async () => {
    bed.receive(0, frame(BROADCAST, A), frame(BROADCAST, B));
    await bed.quietly(brconfig, 'bridge0 static shmif1 0:1:2:3:4:5 deladdr 02:00:00:00:0b:02');
    const addresses = async () => (await bed.run(brconfig, 'bridge0 addr')).text;
    expect(await addresses()).toBe(
      '\t00:01:02:03:04:05 shmif1 0 flags=1<STATIC>\n\t02:00:00:00:0a:01 shmif0 1200 flags=0<>\n',
    );
    await bed.quietly(brconfig, 'bridge0 flush');
    expect(await addresses()).toBe('\t00:01:02:03:04:05 shmif1 0 flags=1<STATIC>\n');
    await bed.quietly(brconfig, 'bridge0 flushall');
    expect(await addresses()).toBe('');
  });

  it.each([
    ['shmif0', 'brconfig: shmif0 is not a bridge'],
    ['bridge7', 'brconfig: unable to get interface flags: Device not configured'],
    ['bridge0 ad shmif2', 'brconfig: unknown command: ad'],
    ['bridge0 add', 'brconfig: command add requires 1 argument'],
    ['bridge0 static shmif0', 'brconfig: command static requires 2 arguments'],
    ['bridge0 add shmif0', 'brconfig: add shmif0: File exists'],
    ['bridge0 add lo0', 'brconfig: add lo0: Invalid argument'],
    ['bridge0 add shmif9', 'brconfig: add shmif9: Device not configured'],
    ['bridge0 delete shmif2', 'brconfig: delete shmif2: No such file or directory'],
    ['bridge0 deladdr 0:1:2:3:4:5', 'brconfig: deladdr 0:1:2:3:4:5: No such file or directory'],
    ['bridge0 deladdr 0:1:2', 'brconfig: deladdr: invalid address: 0:1:2'],
    ['bridge0 maxaddr many', 'brconfig: maxaddr: invalid value: many'],
    ['bridge0 priority 65536', 'brconfig: priority: invalid value: 65536'],
    ['bridge0 hellotime 11', 'brconfig: hellotime 11: Invalid argument'],
    ['bridge0 stp shmif2', 'brconfig: unable to set bridge flags: No such file or directory'],
    ['bridge0 maxaddr 0 static shmif0 0:1:2:3:4:5', 'brconfig: static shmif0 0:1:2:3:4:5: No space left on device'],
  ])('%s: says why not', async (args, error) => {
    expect(await bed.run(brconfig, args)).toEqual({ text: '', errors: `${error}\n`, code: 1 });
  });

  it('a member of another bridge is busy, and gets the MTU of its own', async () => {
    await bed.quietly(ifconfig, 'bridge1 create');
    expect((await bed.run(brconfig, 'bridge1 add shmif0')).errors).toBe('brconfig: add shmif0: Device busy\n');
    await bed.quietly(ifconfig, 'bridge1 mtu 1400');
    await bed.quietly(brconfig, 'bridge1 add shmif2');
    expect((await bed.run(ifconfig, 'shmif2')).text.split('\n')[0]).toBe(
      'shmif2: flags=0x8943<UP,BROADCAST,RUNNING,PROMISC,SIMPLEX,MULTICAST> mtu 1400',
    );
  });

  it('wants a bridge, or -a', async () => {
    await expect(bed.run(brconfig, '')).rejects.toThrow(/^usage: brconfig -a\n/);
    await expect(bed.run(brconfig, '-a bridge0')).rejects.toThrow(/^usage:/);
  });
});
