import { afterEach, describe, expect, it } from 'vitest';
import { gpu, noGpu } from '../gpu.js';
import { coincide, scratch } from './run.js';

interface Report {
  readonly auto: string;
  readonly gpu: { readonly found: boolean; readonly name?: string; readonly why?: string };
  readonly engines: Record<
    'reference' | 'cpu' | 'gpu',
    { readonly works: boolean; readonly why?: string; readonly adjointError: number; readonly backNsPerStep: number }
  >;
}
async function doctor(): Promise<Report> {
  const { code, stdout } = await coincide(['doctor', '--json'], scratch());
  expect(code).toBe(0);
  return JSON.parse(stdout);
}

// Every engine and the network, one after the other: long where all cores are busy.
describe('doctor', { timeout: 180_000 }, () => {
  const before = { ...process.env };
  afterEach(() => {
    process.env = { ...before };
  });

  it('tests every engine, names the adapter, and says what auto takes and why', async (ctx) => {
    const report = await doctor();
    for (const name of ['reference', 'cpu'] as const) {
      expect(report.engines[name]).toMatchObject({ works: true, passed: true });
      expect(report.engines[name].backNsPerStep).toBeGreaterThan(0);
    }
    if (!gpu) return ctx.skip(noGpu);
    expect(report.gpu).toMatchObject({ found: true, name: gpu.name, software: gpu.software, limits: gpu.limits });
    expect(report.engines.gpu).toMatchObject({ works: true, passed: true, details: gpu.name });
    expect(report.auto).toBe(gpu.software ? 'cpu' : 'gpu');
    if (gpu.software) expect(report.gpu.why).toContain('slower than the cpu engine');
  });

  it('says what to install where there is no driver', async (ctx) => {
    if (process.platform !== 'linux') return ctx.skip('the names of drivers are those of Linux');
    process.env.VK_DRIVER_FILES = '/nowhere.json';
    process.env.VK_ICD_FILENAMES = '/nowhere.json';
    const { code, stdout, stderr } = await coincide(['doctor'], scratch());
    expect(stderr + code).toBe('0');
    expect(stdout).toContain('no card');
    expect(stdout).toMatch(/gpu +No Vulkan driver is installed\. Install .*libvulkan1/);
    expect(stdout).toMatch(/cpu +right \(adjoint to .*ns per step/);
    expect(stdout).toContain('--device auto takes cpu.');
  });
});
