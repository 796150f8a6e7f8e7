/**
 * The lab that is up while tests run, for code that names it before they do: `const lab = useLab(...)`. Thread: the test runner's.
 */

import { Lab, MultikernelError } from '../index.ts';

/** Keys that others look for in any object: promises, printers, matchers. */
const ASKED_OF_ANYTHING: readonly PropertyKey[] = ['then', 'toJSON', 'asymmetricMatch', 'nodeType', '$$typeof'];

/** Everything of the lab that `up` returns; throws ENOTCONN while it returns null. */
export function currentLab(up: () => Lab | null): Lab {
  return new Proxy(Object.create(Lab.prototype) as Lab, {
    get(_target, key) {
      if (ASKED_OF_ANYTHING.includes(key)) return undefined;
      const lab = up();
      if (lab === null) {
        throw new MultikernelError(
          'ENOTCONN',
          `lab.${String(key)}: the lab is up while a test runs, not before or after`,
        );
      }
      const value: unknown = Reflect.get(lab, key, lab);
      return typeof value === 'function' ? value.bind(lab) : value;
    },
  });
}
