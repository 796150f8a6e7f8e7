/**
 * Linux's sysctl variables in terms of ours.
 *
 * Thread: any. Three kinds: those with a counterpart, those that make no difference on this stack (with the reason), and
 * the rest, which a script must not rely on. Names are written with dots; `net.ipv4.tcp_sack` and `/proc/sys/net/ipv4/tcp_sack`
 * are the same.
 */

import { MS_PER_S } from '../base/units.ts';

/** Settings here for a value there; null: the value has no counterpart. */
type Translate = (value: string) => readonly Setting[] | null;

export interface Setting {
  name: string;
  value: number;
}

/** One of ours, `scale` of our units in one of theirs. */
function same(name: string, scale: number = 1): Translate {
  return (text) => {
    const value = Number(text);
    return Number.isInteger(value) ? [{ name, value: value * scale }] : null;
  };
}

/** A switch of ours, on for every value but 0. */
function toggle(name: string, on: (value: number) => boolean = (value) => value !== 0): Translate {
  return (text) => [{ name, value: on(Number(text)) ? 1 : 0 }];
}

/** "min default max" of buffer sizes. */
function buffer(initial: string, most: string): Translate {
  return (text) => {
    const [, first, last] = text.trim().split(/\s+/).map(Number);
    if (first === undefined || last === undefined || !(first > 0 && last > 0)) return null;
    return [
      { name: most, value: Math.max(last, first) },
      { name: initial, value: first },
    ];
  };
}

const TCP = 'net.inet.tcp';

const COUNTERPARTS: Readonly<Record<string, Translate>> = {
  'net.ipv4.tcp_rmem': buffer(`${TCP}.recvspace`, `${TCP}.recvbuf_max`),
  'net.ipv4.tcp_wmem': buffer(`${TCP}.sendspace`, `${TCP}.sendbuf_max`),
  'net.ipv4.tcp_moderate_rcvbuf': toggle(`${TCP}.recvbuf_auto`),
  'net.ipv4.tcp_timestamps': toggle(`${TCP}.timestamps`),
  'net.ipv4.tcp_window_scaling': toggle(`${TCP}.win_scale`),
  'net.ipv4.tcp_sack': toggle(`${TCP}.sack.enable`),
  'net.ipv4.tcp_dsack': toggle(`${TCP}.sack.dsack`),
  'net.ipv4.tcp_ecn': (text) => (/^[012]$/.test(text) ? [{ name: `${TCP}.ecn.enable`, value: Number(text) }] : null),
  'net.ipv4.tcp_syncookies': toggle(`${TCP}.syncookies`),
  'net.ipv4.tcp_congestion_control': (text) => {
    const number = { reno: 0, cubic: 1 }[text];
    return number === undefined ? null : [{ name: `${TCP}.congctl`, value: number }];
  },
  'net.ipv4.tcp_slow_start_after_idle': toggle(`${TCP}.slowstart_after_idle`),
  'net.ipv4.tcp_early_retrans': toggle(`${TCP}.tlp`, (value) => value >= 3),
  'net.ipv4.tcp_recovery': toggle(`${TCP}.rack`, (value) => (value & 1) !== 0),
  'net.ipv4.tcp_frto': toggle(`${TCP}.frto`),
  'net.ipv4.tcp_syn_retries': same(`${TCP}.syn_retries`),
  'net.ipv4.tcp_synack_retries': same(`${TCP}.synack_retries`),
  'net.ipv4.tcp_retries2': same(`${TCP}.retries`),
  'net.ipv4.tcp_orphan_retries': same(`${TCP}.orphan_retries`),
  'net.ipv4.tcp_keepalive_time': same(`${TCP}.keepidle`, MS_PER_S),
  'net.ipv4.tcp_keepalive_intvl': same(`${TCP}.keepintvl`, MS_PER_S),
  'net.ipv4.tcp_keepalive_probes': same(`${TCP}.keepcnt`),
  'net.ipv4.tcp_base_mss': same(`${TCP}.base_mss`),
  'net.ipv4.tcp_mtu_probing': same(`${TCP}.mtu_probing`),
  'net.ipv4.tcp_probe_interval': same(`${TCP}.probe_interval`),
  'net.ipv4.tcp_pacing_ca_ratio': same(`${TCP}.pacing_ca_ratio`),
  'net.ipv4.tcp_pacing_ss_ratio': same(`${TCP}.pacing_ss_ratio`),
  'net.ipv4.tcp_fin_timeout': same(`${TCP}.fin_timeout`, MS_PER_S),
  'net.ipv4.tcp_max_tw_buckets': same(`${TCP}.tw_max`),
  'net.ipv4.tcp_max_syn_backlog': same(`${TCP}.syn_cache_limit`),
  'net.ipv4.tcp_rfc1337': toggle(`${TCP}.rfc1337`),
  'net.ipv4.tcp_challenge_ack_limit': same(`${TCP}.challenge_ack_limit`),
  'net.ipv4.tcp_invalid_ratelimit': same(`${TCP}.invalid_ack`),
  'net.ipv4.tcp_rto_max_ms': same(`${TCP}.rto_max`),
  'net.ipv4.ip_no_pmtu_disc': toggle('net.inet.ip.mtudisc', (value) => value === 0),
  'net.ipv4.route.min_pmtu': same('net.inet.ip.mtudiscmin'),
  'net.ipv4.ip_default_ttl': same('net.inet.ip.ttl'),
  'net.core.somaxconn': same(`${TCP}.somaxconn`),
  // FreeBSD's, where they are not NetBSD's as well.
  'net.inet.tcp.rfc1323': (text) => [
    { name: `${TCP}.win_scale`, value: Number(text) === 0 ? 0 : 1 },
    { name: `${TCP}.timestamps`, value: Number(text) === 0 ? 0 : 1 },
  ],
  'kern.ipc.maxsockbuf': (text) => [
    { name: `${TCP}.recvbuf_max`, value: Number(text) },
    { name: `${TCP}.sendbuf_max`, value: Number(text) },
  ],
  'net.inet.tcp.rexmit_initial': same(`${TCP}.rto_initial`),
  'net.inet.tcp.rexmit_min': same(`${TCP}.rto_min`),
  'net.inet.tcp.initcwnd_segments': same(`${TCP}.init_win`),
};

/** Variables of mechanisms that this stack does not have, whose value changes nothing that it does. */
const INDIFFERENT: Readonly<Record<string, string>> = {
  'net.ipv4.tcp_adv_win_scale': 'buffers hold payload only',
  'net.ipv4.tcp_autocorking': 'there is none',
  'net.ipv4.tcp_child_ehash_entries': 'a matter of its tables',
  'net.ipv4.tcp_comp_sack_delay_ns': 'every out-of-order segment is acknowledged',
  'net.ipv4.tcp_comp_sack_nr': 'every out-of-order segment is acknowledged',
  'net.ipv4.tcp_comp_sack_slack_ns': 'every out-of-order segment is acknowledged',
  'net.ipv4.tcp_fack': 'gone from Linux as well',
  'net.ipv4.tcp_fastopen': 'there is no fast open',
  'net.ipv4.tcp_fastopen_key': 'there is no fast open',
  'net.ipv4.tcp_fwmark_accept': 'there are no marks',
  'net.ipv4.tcp_limit_output_bytes': 'no queue below TCP',
  'net.ipv4.tcp_max_reordering': 'reordering is a matter of time',
  'net.ipv4.tcp_mem': 'no common memory limit',
  'net.ipv4.tcp_min_rtt_wlen': 'the smallest round trip is kept',
  'net.ipv4.tcp_min_tso_segs': 'no super-frames on this wire',
  'net.ipv4.tcp_no_metrics_save': 'no metrics are kept',
  'net.ipv4.tcp_no_ssthresh_metrics_save': 'no metrics are kept',
  'net.ipv4.tcp_notsent_lowat': 'the send buffer is the limit',
  'net.ipv4.tcp_pingpong_thresh': 'the first answer makes a conversation',
  'net.ipv4.tcp_reordering': 'the threshold is 3 (RFC 6675)',
  'net.ipv4.tcp_retrans_collapse': 'segments are cut from a stream of bytes',
  'net.ipv4.tcp_retries1': 'routes are renewed when they change',
  'net.ipv4.tcp_shrink_window': 'windows never shrink',
  'net.ipv4.tcp_tso_rtt_log': 'no super-frames on this wire',
  'net.ipv4.tcp_tso_win_divisor': 'no super-frames on this wire',
  'net.ipv4.tcp_tw_reuse': 'connect takes over TIME_WAIT when it is safe',
  'net.ipv4.tcp_workaround_signed_windows': 'windows are unsigned',
  'net.ipv4.ip_local_port_range': 'ports are chosen freely',
  'net.ipv4.fwmark_reflect': 'there are no marks',
  'net.inet.tcp.hostcache.purgenow': 'nothing is remembered of other connections',
  'net.inet.tcp.hostcache.purge': 'nothing is remembered of other connections',
  'net.core.optmem_max': 'no control messages',
  'net.core.rmem_max': 'buffers have one limit',
  'net.core.wmem_max': 'buffers have one limit',
};

/** Values under which Linux does what this stack always does. */
const ONLY_VALUE: Readonly<Record<string, string>> = {
  'net.ipv4.tcp_abort_on_overflow': '0',
  'net.ipv4.tcp_thin_linear_timeouts': '0',
  'net.ipv4.tcp_thin_dupack': '0',
  'net.ipv4.tcp_early_demux': '1',
  'net.ipv4.tcp_l3mdev_accept': '0',
  'net.ipv4.tcp_plb_enabled': '0',
  'net.ipv4.tcp_low_latency': '0',
};

export type Mapped =
  | { kind: 'set'; settings: readonly Setting[] }
  | { kind: 'ignored'; reason: string }
  | { kind: 'unknown' }
  | { kind: 'bad-value' };

/** `name` in dots. Names that are ours already are the caller's business. */
export function mapSysctl(name: string, value: string): Mapped {
  const translate = COUNTERPARTS[name];
  if (translate !== undefined) {
    const settings = translate(value.trim());
    return settings === null ? { kind: 'bad-value' } : { kind: 'set', settings };
  }
  const reason = INDIFFERENT[name];
  if (reason !== undefined) return { kind: 'ignored', reason };
  if (ONLY_VALUE[name] === value.trim()) return { kind: 'ignored', reason: 'it is so here' };
  return name in ONLY_VALUE ? { kind: 'bad-value' } : { kind: 'unknown' };
}

/** Settings of the tool's `defaults.sh` that differ from ours: the values that public scripts were written for. */
export const LINUX_DEFAULTS: readonly (readonly [string, string])[] = [
  ['net.ipv4.tcp_rmem', '4096 540000 15728640'],
  ['net.ipv4.tcp_wmem', '4096 262144 4194304'],
  ['net.ipv4.tcp_timestamps', '1'],
  ['net.ipv4.tcp_syn_retries', '5'],
  ['net.ipv4.tcp_synack_retries', '5'],
  ['net.ipv4.tcp_frto', '2'],
  ['net.ipv4.tcp_sack', '1'],
  ['net.ipv4.tcp_dsack', '1'],
  ['net.ipv4.tcp_congestion_control', 'cubic'],
  ['net.ipv4.tcp_slow_start_after_idle', '0'],
  ['net.ipv4.tcp_early_retrans', '4'],
  ['net.ipv4.tcp_recovery', '1'],
  ['net.ipv4.tcp_ecn', '0'],
  ['net.ipv4.tcp_syncookies', '1'],
];
