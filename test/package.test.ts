/** The package as npm packs it, unpacked into an empty project beside the dependencies that it declares, and used there.
 *  scripts/check-package.sh does the same with a real installation, on several versions of Node. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '..');
const project = mkdtempSync(join(tmpdir(), 'coincide-package-'));
const modules = join(project, 'node_modules');
const declared = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { dependencies: object; version: string };
let packed: { size: number; filename: string; files: { path: string }[] };

beforeAll(() => {
  const told = execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', project], { cwd: root });
  packed = JSON.parse(told.toString())[0];
  mkdirSync(join(modules, 'coincide'), { recursive: true });
  execFileSync('tar', ['-xzf', join(project, packed.filename), '-C', join(modules, 'coincide'), '--strip-components=1']);
  for (const name of [...Object.keys(declared.dependencies), 'onnxruntime-node']) {
    mkdirSync(dirname(join(modules, name)), { recursive: true });
    symlinkSync(join(root, 'node_modules', name), join(modules, name), 'dir');
  }
  writeFileSync(join(project, 'package.json'), '{ "name": "empty", "private": true }');
}, 120_000);
afterAll(() => rmSync(project, { recursive: true, force: true }));

function node(file: string, text: string): string {
  writeFileSync(join(project, file), text);
  const [major] = process.versions.node.split('.').map(Number);
  const quiet = major! >= 21 ? ['--disable-warning=ExperimentalWarning'] : [];
  return execFileSync(process.execPath, [...quiet, file], { cwd: project, stdio: ['ignore', 'pipe', 'ignore'] }).toString();
}

it('is at most 15 MB, holds the model, and nothing of the workshop', () => {
  const paths = packed.files.map(({ path }) => path);
  expect(packed.size).toBeLessThanOrEqual(15e6);
  expect(paths).toEqual(
    expect.arrayContaining(['dist/index.js', 'dist/kernel.wasm', 'models/default/weights.safetensors', 'LICENSE']),
  );
  const workshop = /^(?!(dist|src|models\/default)\/|(package\.json|README\.md|CHANGELOG\.md|LICENSE)$)/;
  expect(paths.filter((path) => workshop.test(path) || /\.test\.|\.tmp$/.test(path))).toEqual([]);
});

it('every entry that package.json names is in it', () => {
  const manifest = JSON.parse(readFileSync(join(modules, 'coincide/package.json'), 'utf8'));
  const named: string[] = [manifest.main, manifest.types, ...Object.values<string>(manifest.bin)];
  for (const entry of Object.values<string | Record<string, string>>(manifest.exports)) {
    named.push(...(typeof entry === 'string' ? [entry] : Object.values(entry)));
  }
  for (const [list] of Object.values<string[]>(manifest.typesVersions['*'])) named.push(list!);
  for (const file of named) expect(statSync(join(modules, 'coincide', file)).size, file).toBeGreaterThan(0);
});

it('works by import: worker threads and their module are found', () => {
  const printed = node(
    'by-import.mjs',
    `import { phantom, scannerByName, sinogramLayout } from 'coincide';
     import { openEngine } from 'coincide/node';
     const engine = await openEngine({ device: 'cpu', threads: 2 });
     const { grid, values } = phantom('cylinder').activity;
     const projector = engine.sinogramProjector(sinogramLayout(scannerByName('small')), [0, 1], grid);
     const projected = await projector.forward(values);
     console.log(engine.name, projected.data.some((x) => x > 0));
     await engine.dispose();`,
  );
  expect(printed.trim()).toBe('cpu true');
});

it('works by require, down to the shipped model', () => {
  const printed = node(
    'by-require.cjs',
    `const { osem } = require('coincide');
     const { loadModel } = require('coincide/node');
     loadModel().then(async (model) => { console.log(typeof osem, model.card.name); await model.dispose(); });`,
  );
  const card = JSON.parse(readFileSync(join(root, 'models/default/model.json'), 'utf8'));
  expect(printed.trim()).toBe(`function ${card.name}`);
});

it('works as a command', () => {
  const main = join(modules, 'coincide/dist/cli/main.js');
  expect(statSync(main).mode & 0o111).not.toBe(0);
  expect(execFileSync(main, ['--version'], { cwd: project }).toString().trim()).toBe(declared.version);
  execFileSync(main, ['phantom', '--kind', 'cylinder', '--voxel', '16', '-o', 'p'], { cwd: project, stdio: 'ignore' });
  expect(statSync(join(project, 'p/activity.nii.gz')).size).toBeGreaterThan(0);
});

it('says how to get the runtime of networks where it is not installed', () => {
  const [main, runtime] = ['coincide/dist/cli/main.js', 'onnxruntime-node'].map((name) => join(modules, name));
  rmSync(runtime!);
  const { status, stderr } = spawnSync(process.execPath, [main!, 'denoise', 'p/activity.nii.gz', '-o', 'x.nii.gz'], {
    cwd: project,
  });
  expect(stderr.toString()).toMatch(/^coincide: Networks need onnxruntime-node.*npm install onnxruntime-node/);
  expect(status).toBe(2);
});
