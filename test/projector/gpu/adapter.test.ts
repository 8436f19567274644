import { expect, it } from 'vitest';
import { adapterName, isSoftwareAdapter } from '../../../src/projector/gpu/adapter.js';

const info = (vendor: string, architecture: string, device: string, description: string, isFallbackAdapter?: boolean) => ({
  ...{ vendor, architecture, device, description, isFallbackAdapter },
});

it.each([
  // As Dawn reports them; the first was seen, the others are the names their drivers give.
  ['SwiftShader', info('google', 'swiftshader', 'swiftshader-device-subzero-', 'SwiftShader driver 5.0.0', true)],
  ['SwiftShader of a browser that hides names', info('google', 'swiftshader', '', '')],
  ['lavapipe', info('mesa', '', '0x0', 'llvmpipe (LLVM 15.0.6, 256 bits)')],
  ['WARP', info('microsoft', '', '0x8c', 'Microsoft Basic Render Driver')],
  ['any that says so', info('', '', '', '', true)],
])('%s is software', (_, adapter) => {
  expect(isSoftwareAdapter(adapter)).toBe(true);
  expect(adapterName(adapter)).toMatch(/ \(software\)$/);
});

it.each([
  ['NVIDIA', info('nvidia', 'hopper', '0x2330', 'NVIDIA H100 80GB HBM3', false), 'NVIDIA H100 80GB HBM3'],
  ['AMD', info('amd', 'rdna-3', '0x744c', 'AMD Radeon RX 7900 XTX (RADV NAVI31)'), 'AMD Radeon RX 7900 XTX (RADV NAVI31)'],
  ['Apple, in a browser', info('apple', 'metal-3', '', ''), 'apple metal-3'],
  [
    'Intel',
    info('intel', 'gen-12lp', '0x9a49', 'Intel(R) Iris(R) Xe Graphics (TGL GT2)'),
    'Intel(R) Iris(R) Xe Graphics (TGL GT2)',
  ],
  ['one that hides everything', info('', '', '', ''), 'unnamed adapter'],
])('%s is a graphics card', (_, adapter, name) => {
  expect(isSoftwareAdapter(adapter)).toBe(false);
  expect(adapterName(adapter)).toBe(name);
});
