/** Builds the viewer's page into dist/view: one script with all it needs, its style, and the licences of what is inside. */
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const licences = [
  '@niivue/niivue',
  'gl-matrix',
  'fflate',
  'nifti-reader-js',
  'array-equal',
  '@lukeed/uuid',
  '@ungap/structured-clone',
  'zarrita',
];

if (!existsSync(resolve(root, 'node_modules/@niivue/niivue'))) {
  if (process.env.CI) throw new Error('@niivue/niivue is not installed: npm ci');
  console.warn('The viewer’s page is not built, since @niivue/niivue is not installed: npm ci, then npm run build.');
  process.exit();
}
const { rolldown } = await import('rolldown');
const out = resolve(root, 'dist/view');
rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
const bundle = await rolldown({
  input: { main: resolve(root, 'page/view/main.ts') },
  platform: 'browser',
  resolve: { extensionAlias: { '.js': ['.ts', '.js'] } },
  // NiiVue reads Zarr too, with 1.4 MB of decoders; these images are never Zarr.
  plugins: [
    {
      name: 'no-zarr',
      resolveId: (id) => (/^numcodecs\//.test(id) ? { id: '\0none', external: false } : null),
      load: (id) => (id === '\0none' ? 'export default {}' : null),
    },
  ],
  onLog(level, log) {
    if (level === 'warn') throw new Error(log.message);
  },
});
await bundle.write({ dir: out, format: 'esm', minify: true, entryFileNames: '[name].js', codeSplitting: false });
await bundle.close();
for (const name of ['index.html', 'style.css']) cpSync(resolve(root, 'page/view', name), resolve(out, name));
writeFileSync(resolve(out, 'LICENSES.txt'), licences.map(licence).join('\n\n'));

/** The licence of a package, or what its package.json says of it. */
function licence(name) {
  const folder = resolve(root, 'node_modules', name);
  const { version, license } = JSON.parse(readFileSync(resolve(folder, 'package.json'), 'utf8'));
  // NiiVue's package comes without the file that its licence asks for.
  const own = resolve(root, 'page/view', `${name.split('/').at(-1)}-LICENSE.txt`);
  const file = [own, ...['LICENSE', 'LICENSE.md', 'LICENCE', 'license'].map((one) => resolve(folder, one))].find(existsSync);
  return `${name} ${version} (${license})\n${file ? readFileSync(file, 'utf8').trim() : ''}`;
}
