/** Numbers of things and spans of time in the words of NetBSD's tools. Thread: any; pure functions. */

/** Seconds as ndp and ifconfig write them: `23h59m58s`. */
export function formatSeconds(total: number): string {
  const parts = [Math.floor(total / 86_400), Math.floor(total / 3600) % 24, Math.floor(total / 60) % 60, total % 60];
  const first = parts.findIndex((part) => part > 0);
  return parts.map((part, i) => (i >= (first < 0 ? 3 : first) ? `${part}${'dhms'[i]}` : '')).join('');
}

/** `n thing` or `n things`. */
export function counted(n: number, singular: string, plural: string = `${singular}s`): string {
  return `${n} ${n === 1 ? singular : plural}`;
}

/** humanize_number(3) in four characters: 999, 1.5K, 10K, 1.0M. */
export function humanNumber(n: number): string {
  let value = n;
  let unit = 0;
  while (value >= 999.5) {
    value /= 1024;
    unit++;
  }
  if (unit === 0) return String(n);
  return `${value < 9.95 ? value.toFixed(1) : Math.round(value)}${'KMGTPE'[unit - 1]}`;
}
