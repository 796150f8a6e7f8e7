/** The reference of the lab file, written from its schema. */

import { toJsonSchema } from '@valibot/to-json-schema';
import { expect, it } from 'vitest';
import { LAB_SCHEMA } from './schema.ts';

interface Schema {
  type?: string;
  enum?: unknown[];
  const?: unknown;
  pattern?: string;
  minimum?: number;
  maximum?: number;
  description?: string;
  required?: string[];
  properties?: Record<string, Schema>;
  additionalProperties?: Schema | boolean;
  items?: Schema;
  anyOf?: Schema[];
}

const INTRODUCTION = `# The lab file

Written from the schema (multikernel.schema.json, for editors: \`# yaml-language-server: $schema=PATH\` as the first line of the file).
A wrong file is refused in one line with file, line, column and key. \`NAME\` stands for a name that the file gives, \`[]\` for each entry of a list.
Units: \`20ms\`, \`5s\`, \`64KiB\`, \`1mbit\`, \`2%\`.
`;

/** Forms that a value may have. */
function forms(schema: Schema): string[] {
  if (schema.anyOf !== undefined) return [...new Set(schema.anyOf.flatMap(forms))];
  if (schema.enum !== undefined) return schema.enum.map((one) => `\`${one}\``);
  if (schema.const !== undefined) return [`\`${schema.const}\``];
  switch (schema.type) {
    case 'string':
      return ['text'];
    case 'object':
      return ['keys'];
    case 'array': {
      const entries = forms(schema.items ?? {});
      return [`list of ${entries.join(' or ')}`];
    }
    case 'integer': {
      const { minimum, maximum } = schema;
      const named = maximum !== undefined && maximum < 1e6 && minimum !== undefined;
      return [named ? `${minimum} to ${maximum}` : 'whole number'];
    }
    case 'boolean':
      return ['`true`', '`false`'];
    default:
      return [schema.type ?? 'anything'];
  }
}

interface Row {
  path: string;
  form: string;
  text: string;
}

/** Keys that are described elsewhere on the page. */
const SAME: Readonly<Record<string, string>> = {
  'defaults.node': 'nodes.NAME',
  'defaults.network': 'networks.NAME',
  'links[].impair.up': 'links[].impair',
  'links[].impair.down': 'links[].impair',
  'timeline[].impair': 'links[].impair',
};

/** A row for each key below `schema`, keys of keys behind theirs. */
function rows(schema: Schema, path: string): Row[] {
  const found: Row[] = [];
  for (const alternative of schema.anyOf ?? []) found.push(...rows(alternative, path));
  for (const [key, value] of Object.entries(schema.properties ?? {})) {
    const inner = path === '' ? key : `${path}.${key}`;
    const needed = schema.required?.includes(key) === true ? 'needed; ' : '';
    const same = SAME[inner];
    const meaning = [value.description, same && `the keys of \`${same}\``]
      .filter((part) => part !== undefined)
      .join('; ');
    found.push({ path: inner, form: forms(value).join(', '), text: `${needed}${meaning}` });
    if (same === undefined) found.push(...rows(value, inner));
  }
  if (typeof schema.additionalProperties === 'object') found.push(...rows(schema.additionalProperties, `${path}.NAME`));
  if (schema.items !== undefined) found.push(...rows(schema.items, `${path}[]`));
  return found;
}

function page(schema: Schema): string {
  const sections = Object.entries(schema.properties ?? {}).map(([key, value]) => {
    const own = { path: key, form: forms(value).join(', '), text: value.description ?? '' };
    const seen = new Set<string>();
    const table = [own, ...rows(value, key)]
      // Alternatives of one entry share keys.
      .filter(
        (row) => !seen.has(`${row.path} ${row.form} ${row.text}`) && seen.add(`${row.path} ${row.form} ${row.text}`),
      )
      .map(({ path, form, text }) => `| \`${path}\` | ${form} | ${text.replaceAll('|', '\\|')} |`);
    return `## ${key}\n\n| key | value | meaning |\n|---|---|---|\n${table.join('\n')}\n`;
  });
  return `${INTRODUCTION}\n${sections.join('\n')}`;
}

it('is published as docs/generated/lab-file.md (vitest -u writes it)', async () => {
  const schema = toJsonSchema(LAB_SCHEMA, { errorMode: 'ignore', typeMode: 'input' }) as Schema;
  await expect(page(schema)).toMatchFileSnapshot('../../docs/generated/lab-file.md');
});

it('has a line of meaning for every key of the file itself', () => {
  const schema = toJsonSchema(LAB_SCHEMA, { errorMode: 'ignore', typeMode: 'input' }) as Schema;
  const without = Object.entries(schema.properties ?? {}).filter(([, value]) => value.description === undefined);
  expect(without.map(([key]) => key)).toEqual([]);
});
