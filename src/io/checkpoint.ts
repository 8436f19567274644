/** @file  Weights in a file, whatever its format: names and shapes at once, values one tensor at a time. */
import type { ByteSource } from '../core/bytes.js';
import { FormatError } from '../core/errors.js';
import { openSafetensors } from './safetensors.js';
import { isLegacyTorch, openTorchCheckpoint } from './torch-checkpoint.js';
import { isZip } from './zip.js';

export interface CheckpointTensor {
  readonly shape: readonly number[];
  /** As the file keeps its values. */
  readonly type: string;
  /** As float32, C order. */
  read(): Promise<Float32Array>;
}
export interface Checkpoint {
  readonly format: 'torch' | 'safetensors';
  /** By name, in the order of the file; names of nested dictionaries are joined by dots. */
  readonly tensors: ReadonlyMap<string, CheckpointTensor>;
}

/**
 * Opens .pt, .pth, .ckpt (PyTorch ≥ 1.6) or .safetensors, told apart by their bytes.
 * @throws FormatError for any other format, by name where it is known, and for a file that is damaged or hostile.
 */
export async function openCheckpoint(source: ByteSource): Promise<Checkpoint> {
  const head = await source.read(0, Math.min(16, source.size));
  if (isZip(head)) return { format: 'torch', tensors: await openTorchCheckpoint(source) };
  if (isLegacyTorch(head)) {
    throw new FormatError('This is the format of PyTorch before 1.6, which is not read', {
      file: source.name,
      expected: 'a zip file with data.pkl, or safetensors',
      hint: 'Save it again with a newer PyTorch: torch.save(torch.load(f), g).',
    });
  }
  return { format: 'safetensors', tensors: await openSafetensors(source) };
}
