/** @file  gpu.js takes its device from `navigator.gpu`, with less than we need: it is shown one that gives all there is. */
import { DeviceError } from '../../core/errors.js';
import type { GpuJs, GpuJsContext } from './gpu-js.js';

/** `navigator.gpu`, or what is like it. */
export type GpuProvider = Pick<GPU, 'requestAdapter'>;

/**
 * The context of gpu.js on the most powerful adapter, with all its limits raised.
 * @throws DeviceError when there is no adapter or it gives no device.
 */
export async function acquire({ WebGPUContext }: GpuJs, provider: GpuProvider): Promise<GpuJsContext> {
  const scope = globalThis as { navigator?: object };
  if (scope.navigator === undefined) Object.defineProperty(scope, 'navigator', { value: {}, configurable: true });
  const navigator = scope.navigator!;
  const before = Object.getOwnPropertyDescriptor(navigator, 'gpu');
  Object.defineProperty(navigator, 'gpu', { value: generous(provider), configurable: true });
  try {
    return await WebGPUContext.acquire();
  } catch (cause) {
    throw new DeviceError('No graphics card could be opened through WebGPU', {
      found: cause instanceof Error ? cause.message : String(cause),
      hint: "Is its driver installed? `coincide doctor` tells what was looked for; device: 'cpu' (--device cpu) needs none.",
      cause,
    });
  } finally {
    if (before) Object.defineProperty(navigator, 'gpu', before);
    else Reflect.deleteProperty(navigator, 'gpu');
  }
}

function generous(provider: GpuProvider): GpuProvider {
  const requestAdapter = async (options?: GPURequestAdapterOptions): Promise<GPUAdapter | null> => {
    const adapter = await provider.requestAdapter({ powerPreference: 'high-performance', ...options });
    if (!adapter) return null;
    const { limits } = adapter;
    return new Proxy(adapter, {
      get(target, key) {
        if (key === 'requestDevice') {
          return (descriptor: GPUDeviceDescriptor = {}) =>
            target.requestDevice({
              ...descriptor,
              requiredLimits: {
                ...descriptor.requiredLimits,
                maxStorageBuffersPerShaderStage: limits.maxStorageBuffersPerShaderStage,
              },
            });
        }
        const value: unknown = Reflect.get(target, key, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  };
  return { requestAdapter };
}

/** gpu.js asks whether there is a navigator.gpu when it is made; afterwards it goes by its context. */
export function withNavigator<T>(make: () => T): T {
  const navigator = globalThis.navigator as object;
  if ('gpu' in navigator) return make();
  Object.defineProperty(navigator, 'gpu', { value: {}, configurable: true });
  try {
    return make();
  } finally {
    Reflect.deleteProperty(navigator, 'gpu');
  }
}
