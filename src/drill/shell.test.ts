import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Machine } from './machine.ts';
import { DrillSettings } from './settings.ts';
import { commandsOf, runCommand } from './shell.ts';

let machine: Machine;
let notes: string[];
let sleptUs: number;

beforeEach(() => {
  machine = new Machine(new DrillSettings());
  notes = [];
  sleptUs = 0;
});

afterEach(() => machine.close());

function shell(text: string): void {
  runCommand({ machine, note: (note) => notes.push(note), sleep: (us) => void (sleptUs += us) }, text);
}

function value(name: string): number | undefined {
  return machine.kernel.inet.sysctl.get(`net.inet.${name}`)?.value;
}

describe('commands', () => {
  it('are parted at lines, semicolons and operators, with redirections and comments taken off', () => {
    expect(commandsOf('a b > /dev/null 2>&1; c && d || e # f\n# g\nh \\\n i $((2*3 + 1))')).toEqual([
      'a b',
      'c',
      'd',
      'e',
      'h   i 7',
    ]);
  });

  it('set sysctls of Linux by their counterparts, however they are written', () => {
    shell('sysctl -q net.ipv4.tcp_sack=0');
    shell('sysctl -q -w net/ipv4/tcp_timestamps = 0');
    shell('echo 0 > /proc/sys/net/ipv4/tcp_window_scaling');
    shell('./set_sysctls.py /proc/sys/net/ipv4/tcp_ecn=1 \\\n  /proc/sys/net/ipv4/tcp_keepalive_time=5');
    shell('sysctl -q net.ipv4.tcp_rmem="4096 100000 $((8*1024*1024))" net.ipv4.tcp_congestion_control=reno');
    const names = [
      'sack.enable',
      'timestamps',
      'win_scale',
      'ecn.enable',
      'keepidle',
      'recvspace',
      'recvbuf_max',
      'congctl',
    ];
    expect(names.map((name) => value(`tcp.${name}`))).toEqual([0, 0, 0, 1, 5000, 100_000, 8 << 20, 0]);
    expect(notes).toEqual([]);
  });

  it('set our own', () => {
    shell('sysctl -w net.inet.tcp.delack=100');
    expect(value('tcp.delack')).toBe(100);
  });

  it("know the tool's own files, an initial window, an MTU, and sleep", () => {
    shell('../../common/defaults.sh');
    shell('ip route change 192.0.2.0/24 via 192.168.0.1 initcwnd 3');
    shell('ip link set dev tun0 mtu 1280');
    shell('tc qdisc replace dev tun0 root fq');
    shell('sleep 0.5');
    expect([value('tcp.slowstart_after_idle'), value('tcp.recvbuf_max'), value('tcp.init_win')]).toEqual([
      0, 15_728_640, 3,
    ]);
    expect([machine.wire.mtuBytes, sleptUs, value('tcp.pacing')]).toEqual([1280, 500_000, 1]);
  });

  it('pass over what makes no difference, and say so', () => {
    shell('sysctl -q net.ipv4.tcp_min_tso_segs=4');
    shell(
      `ip tcp_metrics flush all; tc qdisc add dev tun0 root pfifo; ip neigh add 192.168.0.2 dev tun0; /tmp/sysctl_restore_\${PPID}.sh`,
    );
    expect(notes).toEqual([
      'net.ipv4.tcp_min_tso_segs=4 makes no difference here: no super-frames on this wire',
      'not executed: ip tcp_metrics flush all',
      'not executed: ip neigh add 192.168.0.2 dev tun0',
      `not executed: /tmp/sysctl_restore_\${PPID}.sh`,
    ]);
  });

  it.each([
    ['sysctl -q net.ipv4.no_such_thing=1', 'net.ipv4.no_such_thing has no counterpart here'],
    ['sysctl -q net.ipv4.tcp_thin_dupack=1', 'net.ipv4.tcp_thin_dupack=1 cannot be had here'],
    ['sysctl -q net.ipv4.tcp_congestion_control=bbr', 'net.ipv4.tcp_congestion_control=bbr cannot be had here'],
    ['./something_else.sh', 'command not known here: ./something_else.sh'],
  ])('%s is refused', (text, message) => {
    expect(() => shell(text)).toThrow(message);
  });
});
