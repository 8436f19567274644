/** The import rule: data flows one way, and everyone meets in core. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { expect, it } from 'vitest';

const mayUse: Record<string, readonly string[]> = {
  core: [],
  geometry: ['core'],
  projector: ['core', 'geometry'],
  io: ['core', 'geometry'],
  recon: ['core'],
  metrics: ['core'],
  network: ['core'],
  prior: ['core', 'network'],
  denoise: ['core', 'network', 'prior'],
  web: ['core', 'io', 'network', 'prior', 'denoise'],
};
const onlyThere = ['node', 'cli'];
const src = resolve(import.meta.dirname, '../src');
const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));

it.each(files)('%s imports only what its folder may use', (name) => {
  const folder = name.split('/')[0]!;
  const allowed = mayUse[folder];
  const imported = [...readFileSync(join(src, name), 'utf8').matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map(
    (match) => match[1]!,
  );
  for (const specifier of imported) {
    if (specifier.startsWith('.')) {
      const target = relative(src, resolve(src, dirname(name), specifier)).split('/')[0]!;
      if (allowed && target !== folder) expect(allowed, `${name} imports ${specifier}`).toContain(target);
      expect(target, `${name} imports ${specifier}`).not.toBe('..'); // not page/, bench/ …
      if (!['cli', 'index.ts'].includes(folder)) expect(target, `${name} imports ${specifier}`).not.toBe('cli');
    } else if (specifier.startsWith('node:')) {
      expect(onlyThere, `${name} imports ${specifier}`).toContain(folder);
    }
  }
});
