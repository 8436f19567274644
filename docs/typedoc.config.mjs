/** How the API reference is made of the comments of the exported names; called by scripts/docs.mjs. */
import { OptionDefaults } from 'typedoc';

export default {
  name: 'API',
  entryPoints: ['../src/index.ts', '../src/node/index.ts'],
  tsconfig: 'typedoc.tsconfig.json',
  plugin: ['typedoc-plugin-markdown'],
  out: 'api',
  readme: 'none',
  entryFileName: 'index',
  blockTags: [...OptionDefaults.blockTags, '@file'],
  excludeTags: [...OptionDefaults.excludeTags, '@file'],
  excludeInternal: true,
  disableSources: true,
  hideBreadcrumbs: true,
  hidePageHeader: true,
  parametersFormat: 'table',
  interfacePropertiesFormat: 'table',
  sanitizeComments: true,
  logLevel: 'Warn',
  // A type that only this library makes may be used in a signature without being exported: it is shown, not linked.
  validation: { notExported: false, invalidLink: true, invalidPath: true, rewrittenLink: true, notDocumented: false },
  treatWarningsAsErrors: true,
};
