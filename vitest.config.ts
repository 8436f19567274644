import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { defineConfig } from 'vitest/config';

// WebGPU without a graphics card: SwiftShader's Vulkan driver, which comes with Debian's chromium. It is named here because the Vulkan loader
// reads the environment that a process starts with. COINCIDE_TEST_GPU=hardware takes the machine's own driver instead (test/gpu.ts).
const software = '/usr/lib/chromium/vk_swiftshader_icd.json';
if (process.env.COINCIDE_TEST_GPU !== 'hardware' && existsSync(software)) {
  process.env.VK_ICD_FILENAMES = software; // the loader's old name
  process.env.VK_DRIVER_FILES = software; // and its new one
}
process.env.XDG_RUNTIME_DIR ??= tmpdir(); // without one the loader warns

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 180_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
    // One command-line test failed once in some fifty runs of a loaded machine, without a trace; it now prints what it was told.
    retry: process.env.CI ? 1 : 0,
    coverage: { provider: 'v8', include: ['src/**'] },
  },
});
