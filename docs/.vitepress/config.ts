/** The site: pages in the order in which one reads them. Pages under api, reference, notebooks and results are made by scripts/docs.mjs. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitepress';

const docs = fileURLToPath(new URL('..', import.meta.url));
const titleOf = (file: string): string => /^# (.*)$/m.exec(readFileSync(docs + file, 'utf8'))?.[1] ?? file;
const page = (file: string, text?: string) => ({ text: text ?? titleOf(file), link: `/${file.replace(/(index)?\.md$/, '')}` });
const folder = (name: string) =>
  readdirSync(docs + name)
    .filter((file) => file.endsWith('.md') && file !== 'index.md')
    .sort()
    .map((file) => page(`${name}/${file}`));
const there = (...files: string[]) => files.filter((file) => existsSync(docs + file)).map((file) => page(file));

export default defineConfig({
  title: 'coincide',
  description: 'PET image reconstruction and denoising with a 3D diffusion prior, in TypeScript',
  lang: 'en',
  cleanUrls: true,
  lastUpdated: false,
  srcExclude: ['node_modules/**'],
  // Code that the pages link to is part of the repository, not of the site: it is shown as it is.
  markdown: { config: (md) => md.use(codeLinks) },
  vite: { build: { chunkSizeWarningLimit: 8000 } },
  themeConfig: {
    search: { provider: 'local' },
    outline: [2, 3],
    nav: [page('start.md'), page('theory.md'), page('reference/cli.md', 'Commands'), page('api/index.md', 'API')],
    sidebar: [
      { text: 'First', items: there('start.md', 'how-to-choose.md') },
      { text: 'Notebooks', link: '/notebooks/', items: folder('notebooks') },
      { text: 'Theory', items: there('theory.md', 'glossary.md') },
      {
        text: 'Recipes',
        items: there(
          ...[
            'raw-data',
            'nifti-dicom',
            'own-scanner',
            'own-model',
            'published-checkpoint',
            'look',
            'gpu',
            'browser',
            'batch',
          ].map((name) => `recipes/${name}.md`),
        ),
      },
      { text: 'Reference', items: [...there('formats.md', 'reference/cli.md'), page('api/index.md', 'API')] },
      {
        text: 'Results',
        items: there(
          ...[
            'results.md',
            'default-model.md',
            'results/benchmarks.md',
            'robustness/robustness.md',
            'robustness/networks/networks.md',
            'reconstruction/reconstruction.md',
            'limits.md',
          ],
        ),
      },
      { text: 'Project', items: there('results/changelog.md', 'results/contributing.md') },
    ],
    footer: { message: 'For research use only; not a medical device.' },
  },
});

/** Links to files of the repository outside of docs become their name in code type. */
function codeLinks(md: { core: { ruler: { push(name: string, rule: (state: { tokens: Token[] }) => void): void } } }): void {
  md.core.ruler.push('code-links', ({ tokens }) => {
    for (const { children } of tokens) {
      let open = false;
      for (const token of children ?? []) {
        if (token.type === 'link_open')
          open = /^(\.\.\/)+(src|assembly|bench|scripts|examples|models|test)\//.test(hrefOf(token));
        if (!open || !token.type.startsWith('link_')) continue;
        if (token.type === 'link_close') open = false;
        Object.assign(token, { tag: 'span', attrs: null });
      }
    }
  });
}
interface Token {
  readonly type: string;
  readonly children: Token[] | null;
  readonly attrs: [string, string][] | null;
}
const hrefOf = ({ attrs }: Token): string => attrs?.find(([name]) => name === 'href')?.[1] ?? '';
