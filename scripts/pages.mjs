/** Builds the pages. Without an argument the viewer's, into dist/view, which is part of the package; with "denoise" the one that denoises, into
 *  build/page: static files, to be put on any web server. Each has the licences of what is inside. */
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const niivue = [
  '@niivue/niivue',
  'gl-matrix',
  'nifti-reader-js',
  'array-equal',
  '@lukeed/uuid',
  '@ungap/structured-clone',
  'zarrita',
];
const pages = {
  view: {
    ...{ out: 'dist/view', scripts: { main: 'page/view/main.ts' }, licences: [...niivue, 'fflate'] },
    files: { 'index.html': 'page/view/index.html', 'style.css': 'page/view/style.css' },
  },
  denoise: {
    ...{ out: 'build/page', scripts: { main: 'page/denoise/main.ts', worker: 'page/denoise/worker.ts' } },
    licences: [...niivue, 'fflate', 'ndarray', 'onnxruntime-web'],
    files: {
      ...{ 'index.html': 'page/denoise/index.html', 'style.css': 'page/denoise/style.css', 'view.css': 'page/view/style.css' },
      ...under('model/', 'models/default/', ['model.json', 'weights.safetensors']),
      ...under('ort/', 'node_modules/onnxruntime-web/dist/', [
        ...['ort.wasm.min.mjs', 'ort-wasm-simd-threaded.mjs', 'ort-wasm-simd-threaded.wasm'],
      ]),
    },
  },
};
const page = pages[process.argv[2] ?? 'view'];
if (!page) throw new Error(`There is no page ${process.argv[2]}: ${Object.keys(pages).join(', ')}.`);

const needed = page.licences.find((name) => !existsSync(resolve(root, 'node_modules', name)));
if (needed) {
  if (process.env.CI) throw new Error(`${needed} is not installed: npm ci`);
  console.warn(`${page.out} is not built, since ${needed} is not installed: npm ci, then again.`);
  process.exit();
}
const { rolldown } = await import('rolldown');
const out = resolve(root, page.out);
rmSync(out, { recursive: true, force: true });
for (const [name, source] of Object.entries(page.scripts)) await bundle(name, resolve(root, source));
for (const [name, source] of Object.entries(page.files)) {
  mkdirSync(dirname(resolve(out, name)), { recursive: true });
  cpSync(resolve(root, source), resolve(out, name));
}
writeFileSync(resolve(out, 'LICENSES.txt'), page.licences.map(licence).join('\n\n'));

/** One script with all it needs. */
async function bundle(name, input) {
  const bundler = await rolldown({
    ...{ input: { [name]: input }, platform: 'browser', resolve: { extensionAlias: { '.js': ['.ts', '.js'] } } },
    // NiiVue reads Zarr too, with 1.4 MB of decoders; these images are never Zarr.
    plugins: [
      {
        name: 'no-zarr',
        resolveId: (id) => (/^numcodecs\//.test(id) ? '\0none' : null),
        load: (id) => (id === '\0none' ? 'export default {}' : null),
      },
    ],
    onLog(level, log) {
      if (level === 'warn') throw new Error(log.message);
    },
  });
  await bundler.write({ dir: out, format: 'esm', minify: true, entryFileNames: '[name].js', codeSplitting: false });
  await bundler.close();
}

/** The licence of a package, or what its package.json says of it. */
function licence(name) {
  const folder = resolve(root, 'node_modules', name);
  const { version, license } = JSON.parse(readFileSync(resolve(folder, 'package.json'), 'utf8'));
  // Some packages come without the file that their licence asks for.
  const own = resolve(root, 'page/licences', `${name.split('/').at(-1)}.txt`);
  const file = [own, ...['LICENSE', 'LICENSE.md', 'LICENCE', 'license'].map((one) => resolve(folder, one))].find(existsSync);
  return `${name} ${version} (${license})\n${file ? readFileSync(file, 'utf8').trim() : ''}`;
}

function under(to, from, names) {
  return Object.fromEntries(names.map((name) => [to + name, from + name]));
}
