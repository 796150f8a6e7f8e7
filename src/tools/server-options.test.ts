import { describe, expect, it } from 'vitest';
import { parseServerOptions, type ServerRefusal } from './server-options.ts';

function refusal(...args: string[]): { message: string; usage: boolean } {
  try {
    parseServerOptions(args);
  } catch (error) {
    const { message, usage } = error as ServerRefusal;
    return { message, usage };
  }
  throw new Error(`${args} were taken`);
}

describe('the arguments of rump_server', () => {
  it('stand apart or joined, libraries with and without lib and .so', () => {
    const words =
      '-sv -c4 -lrumpnet -l librumpnet_shmif.so -l rumpnet -d key=/d,hostpath=d.img,size=host -r 64m unix://s';
    expect(parseServerOptions(words.split(' '))).toEqual({
      url: 'unix://s',
      foreground: true,
      verbose: true,
      cpus: 4,
      libraries: ['rumpnet', 'rumpnet_shmif'],
      ramBytes: 64 * 1024 * 1024,
    });
  });

  it('are refused in the words of the original', () => {
    expect(refusal()).toEqual({ message: '', usage: true });
    expect(refusal('unix://a', 'unix://b')).toEqual({ message: '', usage: true });
    expect(refusal('-x', 'unix://a')).toEqual({ message: 'unknown option -- x', usage: true });
    expect(refusal('-l')).toEqual({ message: 'option requires an argument -- l', usage: true });
    expect(refusal('-c', '0', 'unix://a').message).toBe('CPU count needs to be between 1 and 32');
    expect(refusal('-lnone', 'unix://a').message).toBe('dlopen libnone.so failed: Cannot open "libnone.so"');
    const carp = 'dlopen librumpnet_carp.so failed: Cannot open "librumpnet_carp.so"';
    const missing = `${carp}: NetBSD has it, these kernels do not (docs/rump-server.md)`;
    expect(refusal('-lrumpnet_carp', 'unix://a')).toEqual({ message: missing, usage: false });
    expect(refusal('-d', 'key=/d', 'unix://a').message).toBe('incomplete drivespec');
    expect(refusal('-d', 'key=/d,key=/e', 'unix://a').message).toBe('key already given');
    expect(refusal('-d', 'frob=1', 'unix://a').message).toBe('invalid dtoken');
    expect(refusal('-d', 'key=/d,hostpath=f,size=1,type=tape', 'unix://a').message).toBe('invalid type tape');
    expect(refusal('-r', 'much', 'unix://a').message).toBe('invalid RAM size much');
    expect(refusal('-m', 'mod', 'unix://a').message).toBe('module load failed: mod: Exec format error');
  });
});
