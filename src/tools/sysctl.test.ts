import { describe, expect, it } from 'vitest';
import { run } from '../../test/fixtures/tool-tables.ts';
import { MultikernelError } from '../base/errors.ts';
import type { KernelText } from './kernel-text.ts';
import { sysctl } from './sysctl.ts';

describe('sysctl', () => {
  const table: Partial<KernelText> = {
    sysctl: async (name) => {
      if (name !== 'net.inet.ip.ttl') throw new MultikernelError('ENOENT', name);
      return [{ name, value: 64 }];
    },
    setSysctl: async () => ({ before: 0, after: 1 }),
  };

  it('shows and sets', async () => {
    expect((await run(sysctl, 'net.inet.ip.ttl', table)).text).toBe('net.inet.ip.ttl = 64\n');
    expect((await run(sysctl, '-n net.inet.ip.ttl', table)).text).toBe('64\n');
    expect((await run(sysctl, '-w net.inet.ip.forwarding=1', table)).text).toBe('net.inet.ip.forwarding: 0 -> 1\n');
    expect((await run(sysctl, '-qw net.inet.ip.forwarding=1', table)).text).toBe('');
    expect(await run(sysctl, 'net.inet.ip.nope', table)).toEqual({
      text: '',
      errors: "sysctl: second level name 'nope' in 'net.inet.ip.nope' is invalid\n",
      code: 1,
    });
    expect((await run(sysctl, '-w a.b=x', table)).errors).toBe('sysctl: a.b: x: not an integer\n');
  });
});
