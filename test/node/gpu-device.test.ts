import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { lookForGpu, vulkanDrivers } from '../../src/node/gpu-device.js';
import { gpu, noGpu } from '../gpu.js';

const root = resolve(import.meta.dirname, '../..');
const scratch = (): string => mkdtempSync(join(tmpdir(), 'coincide-'));

interface Ended {
  readonly code: number | string;
  readonly stdout: string;
  readonly stderr: string;
}
/** A process of its own: drivers are found through the environment that it starts with. */
function run(script: string, environment: Readonly<Record<string, string>> = {}, at: string = root): Promise<Ended> {
  const file = join(mkdtempSync(join(tmpdir(), 'coincide-')), 'script.mjs');
  writeFileSync(file, script.replaceAll('coincide:', `${at}/dist/`));
  return new Promise((done) => {
    execFile(process.execPath, [file], { env: { ...process.env, ...environment }, timeout: 30_000 }, (error, stdout, stderr) =>
      done({ code: error ? (error.code ?? String(error.signal)) : 0, stdout, stderr }),
    );
  });
}
/** An environment without drivers of Vulkan. */
const bare = { VK_DRIVER_FILES: '/nowhere.json', VK_ICD_FILENAMES: '/nowhere.json' };

describe('findGpu', () => {
  it('names the adapter, says whether it is software, and gives its limits', (ctx) => {
    if (!gpu) return ctx.skip(noGpu);
    expect(gpu.name.length).toBeGreaterThan(3);
    expect(gpu.software).toBe(process.env.COINCIDE_TEST_GPU !== 'hardware');
    // What every WebGPU gives.
    expect(gpu.limits.maxBufferSize).toBeGreaterThanOrEqual(2 ** 28);
    expect(gpu.limits.maxStorageBufferBindingSize).toBeGreaterThanOrEqual(2 ** 27);
    expect(gpu.limits.maxStorageBuffersPerShaderStage).toBeGreaterThanOrEqual(8);
    expect(gpu.limits.maxComputeWorkgroupsPerDimension).toBeGreaterThanOrEqual(65535);
  });

  it('says which driver to install where there is none', async (ctx) => {
    if (process.platform !== 'linux') return ctx.skip('the names of drivers are those of Linux');
    const { stdout } = await run(
      `import { findGpu } from 'coincide:node/gpu-device.js';
       findGpu().catch((error) => console.log(error.name, error.message));`,
      bare,
    );
    expect(stdout).toContain('DeviceError No graphics card answers through WebGPU');
    expect(stdout).toContain('libvulkan1');
  });

  it('says which package to install where it is missing', async () => {
    const elsewhere = scratch();
    mkdirSync(join(elsewhere, 'node_modules'));
    cpSync(join(root, 'dist'), join(elsewhere, 'dist'), { recursive: true });
    writeFileSync(join(elsewhere, 'package.json'), '{"type": "module"}');
    symlinkSync(join(root, 'node_modules/ndarray'), join(elsewhere, 'node_modules/ndarray'));
    const { stdout } = await run(
      `import { findGpu } from 'coincide:node/gpu-device.js';
       findGpu().catch((error) => console.log(error.name, error.message));`,
      {},
      elsewhere,
    );
    expect(stdout).toContain('DeviceError WebGPU is not installed (webgpu)');
    expect(stdout).toContain('npm install webgpu');
  });
});

describe('lookForGpu', () => {
  it('does not take a program for a graphics card', async (ctx) => {
    if (!gpu) return ctx.skip(noGpu);
    const answer = await lookForGpu();
    expect(answer.gpu?.name).toBe(gpu.name);
    if (gpu.software) expect(answer.why).toContain(gpu.name);
    else expect(answer.why).toBeUndefined();
  });

  it('is silent, and loads nothing, where no driver is', async (ctx) => {
    if (process.platform !== 'linux') return ctx.skip('the names of drivers are those of Linux');
    const { stdout, stderr, code } = await run(
      `import { lookForGpu } from 'coincide:node/gpu-device.js';
       const { gpu, why } = await lookForGpu();
       const loaded = process.report.getReport().sharedObjects.some((name) => name.includes('dawn.node'));
       console.log(gpu, loaded, why);`,
      bare,
    );
    expect(stdout).toMatch(/^undefined false No Vulkan driver is installed\. Install the Vulkan loader/);
    expect(stderr + code).toBe('0');
  });
});

describe('vulkanDrivers', () => {
  it('looks where the loader looks', () => {
    const home = scratch();
    const at = (...parts: string[]): string => {
      mkdirSync(join(home, ...parts, 'vulkan/icd.d'), { recursive: true });
      const file = join(home, ...parts, 'vulkan/icd.d/card.json');
      writeFileSync(file, '{}');
      writeFileSync(join(home, ...parts, 'vulkan/icd.d/README'), '');
      return file;
    };
    const own = at('.local/share');
    const shared = at('share');
    const empty = { HOME: home, XDG_CONFIG_DIRS: '/nowhere', XDG_DATA_DIRS: '/nowhere' };
    expect(vulkanDrivers(empty)).toContain(own);
    expect(vulkanDrivers({ ...empty, XDG_DATA_DIRS: `/nowhere:${join(home, 'share')}` })).toEqual(
      expect.arrayContaining([own, shared]),
    );
    expect(vulkanDrivers({ ...empty, VK_DRIVER_FILES: `${shared}:/nowhere.json` })).toEqual([shared]);
    expect(vulkanDrivers({ ...empty, VK_ADD_DRIVER_FILES: shared })).toEqual(expect.arrayContaining([own, shared]));
  });
});

describe('a process with a graphics card', () => {
  const open = `import { findGpu } from 'coincide:node/gpu-device.js';
    import { openGpuDevice } from 'coincide:projector/gpu/device.js';
    const device = await openGpuDevice((await findGpu()).provider);
    const ones = device.array([64, 64], new Float32Array(4096).fill(1));
    const kernel = device.kernel('function twice(a) { return 2 * a[this.thread.y][this.thread.x]; }');
    const sum = async () => (await device.read(await kernel([64, 64], ones))).reduce((a, b) => a + b, 0);`;

  it.for([
    ['disposes of it', 'console.log(await sum()); await device.dispose();', 0],
    ['forgets to', 'console.log(await sum());', 0],
    ['exits in the middle of its work', 'console.log(await sum()); for (let i = 0; i < 20; i++) void sum(); process.exit(3);', 3],
    ['fails', 'console.log(await sum()); void sum(); throw new Error("enough");', 1],
  ] as const)('ends as it should when it %s', async ([, rest, expected], ctx) => {
    if (!gpu) return ctx.skip(noGpu);
    const { code, stdout, stderr } = await run(`${open}\n${rest}`);
    expect(stdout).toBe('8192\n');
    if (expected === 0) expect(stderr).toBe('');
    expect(code).toBe(expected);
  });
});
