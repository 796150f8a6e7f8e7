/**
 * Schema of a map with names of the user's own as keys.
 *
 * Thread: any. valibot's record leaves out the keys `__proto__`, `prototype` and `constructor` without a word; a node or a variable may
 * be called so.
 */

import * as v from 'valibot';

/** `v.record`, of which the JSON Schema is derived, with a run of its own. Lists are no maps here. */
export function record<const K extends v.GenericSchema<string>, const V extends v.GenericSchema>(
  key: K,
  value: V,
  message: (issue: v.BaseIssue<unknown>) => string,
): v.RecordSchema<K, V, (issue: v.BaseIssue<unknown>) => string> {
  const schema = v.record(key, value, message);
  type Run = (typeof schema)['~run'];
  const run: Run = (dataset, config) => {
    const input = dataset.value as Record<string, unknown>;
    if (typeof input !== 'object' || input === null || Array.isArray(input)) {
      v._addIssue(schema, 'type', dataset as never, config);
      return dataset as unknown as ReturnType<Run>;
    }
    const issues = [];
    const entries: [string, unknown][] = [];
    let typed = true;
    for (const [name, own] of Object.entries(input)) {
      const item = { type: 'object' as const, input, key: name, value: own };
      const checkedKey = key['~run']({ value: name }, config);
      const checked = value['~run']({ value: own }, config);
      for (const issue of checkedKey.issues ?? [])
        issues.push({ ...issue, path: [{ ...item, origin: 'key' as const }] });
      for (const issue of checked.issues ?? []) {
        issues.push({ ...issue, path: [{ ...item, origin: 'value' as const }, ...(issue.path ?? [])] });
      }
      typed &&= checkedKey.typed === true && checked.typed === true;
      entries.push([name, checked.value]);
    }
    const found = issues.length === 0 ? {} : { issues };
    return { typed, value: Object.fromEntries(entries), ...found } as ReturnType<Run>;
  };
  return Object.defineProperty(schema, '~run', { value: run });
}
