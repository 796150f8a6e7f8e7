import { describe, expect, it } from 'vitest';
import { NativeLoad } from './native-load.ts';

describe('a load of native code', () => {
  it('is not interrupted by an end', () => {
    const load = new NativeLoad();
    const other = new NativeLoad(load.words);
    expect(load.run(() => [other.end(), other.endNow(1)])).toEqual([false, false]);
    expect(load.run(() => 'again')).toBe('again');
    expect(other.endNow(0)).toBe(true);
  });

  it('does not begin once the thread is to end', () => {
    const load = new NativeLoad();
    expect([load.end(), load.end()]).toEqual([true, true]);
    let loaded = false;
    load.run(() => {
      loaded = true;
    });
    expect(loaded).toBe(false);
  });

  it('that fails can be ended', () => {
    const load = new NativeLoad();
    expect(() =>
      load.run(() => {
        throw new Error('no such file');
      }),
    ).toThrow('no such file');
    expect(load.end()).toBe(true);
  });
});
