/** @file  Which adapters are graphics cards, and which are programs that do a card's work on the processor. */
import type { GpuAdapterInfo } from './device.js';

/** Names that software adapters give themselves: Google's SwiftShader, Mesa's llvmpipe (lavapipe) and softpipe, Microsoft's WARP. */
const software = /swiftshader|llvmpipe|lavapipe|softpipe|basic render|\bwarp\b/i;

/** Is it a program? Such an adapter is right, but slower than the cpu engine. Browsers hide names, but not `isFallbackAdapter`. */
export function isSoftwareAdapter(info: GpuAdapterInfo & { readonly isFallbackAdapter?: boolean | undefined }): boolean {
  return (
    info.isFallbackAdapter === true || software.test(`${info.vendor} ${info.architecture} ${info.device} ${info.description}`)
  );
}

/** Name of an adapter, for people and sidecars. */
export function adapterName(info: GpuAdapterInfo & { readonly isFallbackAdapter?: boolean | undefined }): string {
  const name = info.description || [info.vendor, info.architecture, info.device].filter(Boolean).join(' ') || 'unnamed adapter';
  return isSoftwareAdapter(info) ? `${name} (software)` : name;
}
