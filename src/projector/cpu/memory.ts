/** @file  The kernels' memory: shared, 4 GiB at most, grown when a call needs more. */
import { DeviceError } from '../../core/errors.js';

const pageBytes = 65536;
/** 4 GiB, all that 32 bits address. */
const maximumPages = 65536;
/** First byte for the caller: the module keeps its own data in the first pages. */
export const memoryBase: number = 16 * pageBytes;

/** @throws DeviceError when the system has no room for it, or a page may not share memory. */
export function kernelMemory(): WebAssembly.Memory {
  try {
    return new WebAssembly.Memory({ initial: memoryBase / pageBytes, maximum: maximumPages, shared: true });
  } catch (cause) {
    const expected = '4 GiB of address space';
    throw new DeviceError('No memory for the projector', {
      expected,
      hint: 'Dispose of engines that are not needed any more.',
      cause,
    });
  }
}

/** Makes room for `bytes` bytes. @throws DeviceError when there is not so much. */
export function growMemory(memory: WebAssembly.Memory, bytes: number): void {
  const missing = Math.ceil((memoryBase + bytes - memory.buffer.byteLength) / pageBytes);
  if (missing <= 0) return;
  try {
    memory.grow(missing);
  } catch (cause) {
    throw new DeviceError('Not enough memory for the projector', {
      expected: 'at most 4 GiB in all, and free',
      found: `${(bytes / 2 ** 30).toFixed(2)} GiB`,
      hint: 'Use more subsets or larger voxels.',
      cause,
    });
  }
}
