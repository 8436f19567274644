/** @file  WebGPU in Node: the runtime's own, or Dawn's from the package `webgpu`. Nothing of it is loaded before it is asked for. */
import { existsSync, readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { DeviceError } from '../core/errors.js';
import { adapterName, isSoftwareAdapter } from '../projector/gpu/adapter.js';
import type { GpuProvider } from '../projector/gpu/gpu-js-context.js';

/** An adapter that answered. */
export interface FoundGpu {
  readonly provider: GpuProvider;
  /** Who provides WebGPU. */
  readonly through: string;
  readonly name: string;
  readonly vendor: string;
  readonly architecture: string;
  /** The processor does the work: right, but slower than the cpu engine. `auto` never takes it. */
  readonly software: boolean;
  /** What one array, one kernel and one dispatch may have. */
  readonly limits: {
    readonly maxBufferSize: number;
    readonly maxStorageBufferBindingSize: number;
    readonly maxStorageBuffersPerShaderStage: number;
    readonly maxComputeWorkgroupsPerDimension: number;
  };
}

/**
 * The most powerful adapter that WebGPU offers here.
 * @throws DeviceError saying what to install, when there is none.
 */
export async function findGpu(): Promise<FoundGpu> {
  const { provider, through } = await webgpu();
  const adapter = await provider.requestAdapter({ powerPreference: 'high-performance' });
  if (!adapter) {
    throw new DeviceError('No graphics card answers through WebGPU', { found: `no adapter from ${through}`, hint: driverHint() });
  }
  const { info, limits } = adapter;
  return {
    ...{ provider, through, name: adapterName(info), vendor: info.vendor, architecture: info.architecture },
    software: isSoftwareAdapter(info),
    limits: {
      maxBufferSize: limits.maxBufferSize,
      maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize,
      maxStorageBuffersPerShaderStage: limits.maxStorageBuffersPerShaderStage,
      maxComputeWorkgroupsPerDimension: limits.maxComputeWorkgroupsPerDimension,
    },
  };
}

/** The adapter that answered, if one did, and why `auto` does not take it, if it does not. */
export interface Answer {
  readonly gpu?: FoundGpu | undefined;
  readonly why?: string | undefined;
}

/** Looks for a real graphics card, only where there can be one: Dawn prints a warning where no driver is. */
export async function lookForGpu(): Promise<Answer> {
  if (!ownGpu() && process.platform === 'linux' && vulkanDrivers().length === 0) {
    return { why: `No Vulkan driver is installed. ${driverHint()}` };
  }
  try {
    const gpu = await findGpu();
    return gpu.software
      ? { gpu, why: `${gpu.name} is slower than the cpu engine: only device: 'gpu' (--device gpu) uses it.` }
      : { gpu };
  } catch (error) {
    if (error instanceof DeviceError) return { why: error.message };
    throw error;
  }
}

/** Dawn lives as long as the process. */
let dawn: Promise<{ readonly provider: GpuProvider; readonly through: string }> | undefined;

const ownGpu = (): GpuProvider | undefined => (globalThis as { navigator?: { gpu?: GpuProvider } }).navigator?.gpu;

async function webgpu(): Promise<{ readonly provider: GpuProvider; readonly through: string }> {
  const own = ownGpu();
  if (own) return { provider: own, through: 'this runtime' };
  dawn ??= loadDawn();
  dawn.catch(() => {
    dawn = undefined;
  });
  return dawn;
}

async function loadDawn(): Promise<{ readonly provider: GpuProvider; readonly through: string }> {
  try {
    const { create } = await import('webgpu');
    return { provider: create([]), through: 'the package webgpu' };
  } catch (cause) {
    const absent = (cause as { code?: string }).code === 'ERR_MODULE_NOT_FOUND';
    throw new DeviceError(absent ? 'WebGPU is not installed' : 'WebGPU does not load', {
      key: 'webgpu',
      found: absent ? undefined : (cause as Error).message,
      hint: absent
        ? 'Run `npm install webgpu`, the optional package that brings it to Node (Linux, macOS, Windows).'
        : 'Its binaries are for Linux, macOS and Windows on x64 and arm64, with a recent C library.',
      cause,
    });
  }
}

/** Manifests of Vulkan drivers where the loader looks for them: what the environment names, else the standard folders. */
export function vulkanDrivers(environment: NodeJS.ProcessEnv = process.env): string[] {
  const paths = (name: string, otherwise = ''): string[] => (environment[name] || otherwise).split(delimiter).filter(Boolean);
  const named = [...paths('VK_DRIVER_FILES'), ...paths('VK_ICD_FILENAMES')];
  if (named.length > 0) return [...new Set(named)].filter((path) => existsSync(path));
  const home = environment.HOME || homedir();
  const roots = [
    ...paths('XDG_CONFIG_HOME', join(home, '.config')),
    ...paths('XDG_CONFIG_DIRS', '/etc/xdg'),
    ...['/etc', '/run/opengl-driver/share'],
    ...paths('XDG_DATA_HOME', join(home, '.local/share')),
    ...paths('XDG_DATA_DIRS', ['/usr/local/share', '/usr/share'].join(delimiter)),
  ];
  const folders = roots.map((root) => join(root, 'vulkan/icd.d'));
  const manifests = folders.flatMap((folder) =>
    existsSync(folder) ? readdirSync(folder).map((file) => join(folder, file)) : [],
  );
  return [...paths('VK_ADD_DRIVER_FILES'), ...manifests].filter((path) => path.endsWith('.json') && existsSync(path));
}

function driverHint(): string {
  if (process.platform === 'darwin') return 'WebGPU needs macOS with Metal; virtual machines often lack it.';
  if (process.platform === 'win32') return 'Install the driver of the graphics card (Direct3D 12).';
  return (
    'Install the Vulkan loader and the driver of the card: libvulkan1 with NVIDIA’s driver, or mesa-vulkan-drivers for AMD and Intel ' +
    '(Debian’s names). In a container, pass the card through (NVIDIA: NVIDIA_DRIVER_CAPABILITIES=all).'
  );
}
