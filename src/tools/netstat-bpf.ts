/** `netstat -B`: open bpf devices, or the counts of all. Thread: any; pure functions. */

import type { BpfCounts, BpfRecord } from '../sys/control.ts';

/** Letters of a device: idle or waiting, promiscuous, immediate, blind for what is sent, headers complete. */
function letters({ waiting, promiscuous, immediate, seeSent, headerComplete }: BpfRecord): string {
  const state = waiting ? 'W' : 'I';
  return `${state}${promiscuous ? 'P' : '-'}${immediate ? 'R' : '-'}${seeSent ? '-' : 'S'}${headerComplete ? 'H' : '-'}`;
}

/** One line for each device. */
export function formatBpfDevices(devices: readonly BpfRecord[]): string {
  const left = (value: string | number, width: number): string => `${String(value).padEnd(width)} `;
  const lines = devices.map((device) => {
    const counts = [device.received, device.dropped, device.captured].map((count) => left(count, 8)).join('');
    const front = `${left(device.pid, 7)}${left(device.interface, 7)}${counts}`;
    return `${front}${letters(device)}  ${left(device.bufferBytes, 8)}${device.program}\n`;
  });
  return `Active BPF peers\nPID\tInt\tRecv     Drop     Capt     Flags  Bufsize  Comm\n${lines.join('')}`;
}

/** The counts of all devices that there were: `-s -B`. */
export function formatBpfCounts({ received, captured, dropped }: BpfCounts): string {
  return `bpf:
\t${received} total packets received
\t${captured} total packets captured
\t${dropped} total packets dropped
`;
}
