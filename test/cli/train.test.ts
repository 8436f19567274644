/** Training through the command line: interrupted and given again, it makes the very weights of an unbroken run. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { coincide, scratch } from './run.js';

it('goes on where it was interrupted, to the same weights', async () => {
  const dir = scratch();
  const config = {
    ...{ name: 'tiny', seed: 3, steps: 30, checkpointEvery: 10, batch: 2, patch: [16, 16, 16] },
    ...{ cohort: { subjects: 1, validation: 1, draws: 1, span: 15, maxRingDifference: 7 } },
    network: { channels: [8, 16], embedding: 16, groups: 4 },
  };
  writeFileSync(join(dir, 'tiny.json'), JSON.stringify(config));
  const whole = await coincide(['train', 'tiny.json', '-o', 'whole', '--json', '--quiet'], dir);
  expect(whole.stderr + whole.code).toBe('0');

  // Interrupt it a little later each time, until it gets through.
  let last = { code: 130 as number | null, stderr: '' };
  let interruptions = 0;
  for (let after = 1500; last.code === 130 && after < 60_000; after *= 1.6) {
    last = await coincide(['train', 'tiny.json', '-o', 'broken', '--quiet'], dir, after);
    if (last.code === 130) interruptions++;
    expect(last.stderr).not.toMatch(/terminate|Napi|internal error/);
  }
  expect(last.code).toBe(0);
  expect(interruptions).toBeGreaterThan(0);
  const weights = (name: string): string => readFileSync(join(dir, name, 'weights.safetensors')).toString('base64');
  expect(weights('broken')).toBe(weights('whole'));
  const { sha256 } = JSON.parse(readFileSync(join(dir, 'broken', 'model.json'), 'utf8'));
  expect(JSON.parse(whole.stdout).sha256).toBe(sha256);
}, 180_000);
