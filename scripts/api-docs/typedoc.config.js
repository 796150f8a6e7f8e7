// Writes docs/api from the declarations in dist/: a page for each entry that package.json exports, named by the `@module` of its header.

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const ROOT = new URL('../../', import.meta.url);
const { exports } = JSON.parse(readFileSync(new URL('package.json', ROOT), 'utf8'));

export default {
  plugin: ['typedoc-plugin-markdown'],
  tsconfig: 'tsconfig.json',
  entryPoints: Object.values(exports)
    .filter((entry) => entry.import !== undefined)
    .map((entry) => fileURLToPath(new URL(entry.import.types, ROOT))),
  out: fileURLToPath(new URL('docs/api', ROOT)),
  name: 'API of multikernel',
  readme: 'none',
  // Lines and commits would change the pages with every commit.
  disableSources: true,
  disableGit: true,
  hideGenerator: true,
  excludeExternals: true,
  excludeInternal: true,
  excludePrivate: true,
  // A link to a name that is not there is an error; types that a signature names and no entry exports stay names.
  validation: { notExported: false, invalidLink: true },
  treatValidationWarningsAsErrors: true,
  logLevel: 'Warn',
  outputFileStrategy: 'modules',
  hidePageHeader: true,
  hideBreadcrumbs: true,
  indexFormat: 'table',
  parametersFormat: 'table',
  classPropertiesFormat: 'table',
  interfacePropertiesFormat: 'table',
  typeAliasPropertiesFormat: 'table',
  typeDeclarationFormat: 'table',
  tableColumnSettings: { hideInherited: true, hideOverrides: true, hideDefaults: true },
  useCodeBlocks: true,
  expandParameters: true,
  // Members of an object without a name of its own are shown where it stands, not as `object`.
  expandObjects: true,
};
