/** @file  Checkpoints of PyTorch ≥ 1.6: a zip file, <top>/data.pkl a pickle that names tensors, <top>/data/<key> their storages. Many tensors
 *  may be views of one storage (offset and strides in elements). The pickle can build tensors and plain containers and nothing else.
 *  https://github.com/pytorch/pytorch/blob/v2.5.0/torch/serialization.py */
import { size } from '../core/array.js';
import type { ByteSource } from '../core/bytes.js';
import { FormatError } from '../core/errors.js';
import type { CheckpointTensor } from './checkpoint.js';
import { type PickleGlobal, unpickle } from './pickle.js';
import { bytesPerSample, decodeSamples, type SampleType } from './samples.js';
import { readZipDirectory, readZipEntry, readZipRange, type ZipEntry } from './zip.js';

/** A pickle of names and shapes beyond this is absurd. */
const maxPickle = 2 ** 26;
/** Dictionaries within dictionaries. */
const maxDepth = 8;

/** Elements of one type in a zip entry. */
interface Storage {
  readonly entry: ZipEntry;
  readonly type: SampleType;
  readonly length: number;
}
interface View {
  readonly storage: Storage;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
}

const storageTypes: Readonly<Record<string, SampleType>> = {
  'torch FloatStorage': 'float32',
  'torch HalfStorage': 'float16',
  'torch BFloat16Storage': 'bfloat16',
  'torch DoubleStorage': 'float64',
  'torch LongStorage': 'int64',
  'torch IntStorage': 'int32',
  'torch ShortStorage': 'int16',
  'torch CharStorage': 'int8',
  'torch ByteStorage': 'uint8',
  'torch BoolStorage': 'uint8',
};

/** Does it begin like torch.save before 1.6: a pickle of its magic number? */
export function isLegacyTorch(bytes: Uint8Array): boolean {
  const magic = [0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
  return magic.every((byte, i) => bytes[i] === byte);
}

/**
 * All tensors of the file, those in nested dictionaries as 'outer.inner'. Values are read when they are asked for.
 * @throws FormatError when the file is damaged, or its pickle asks for anything but tensors and plain containers.
 */
export async function openTorchCheckpoint(source: ByteSource): Promise<Map<string, CheckpointTensor>> {
  const file = source.name;
  const entries = await readZipDirectory(source);
  const pickled = [...entries.keys()].filter((name) => /^[^/]+\/data\.pkl$/.test(name));
  const top = pickled[0]?.slice(0, -'data.pkl'.length);
  if (top === undefined || pickled.length > 1) {
    throw new FormatError('This zip file is no checkpoint of PyTorch', { file, expected: 'one data.pkl', found: pickled.length });
  }
  if (entries.has(`${top}constants.pkl`)) {
    throw new FormatError('This is TorchScript, a program', {
      file,
      expected: 'a state dict',
      hint: 'torch.save(model.state_dict(), …).',
    });
  }
  const order = entries.get(`${top}byteorder`);
  if (order && new TextDecoder().decode(await readZipEntry(source, order, 16)) !== 'little') {
    throw new FormatError('Byte order of the tensors', { file, key: 'byteorder', expected: 'little' });
  }
  const views = new Set<unknown>();
  const bytes = await readZipEntry(source, entries.get(`${top}data.pkl`)!, maxPickle);
  const root = unpickle(
    bytes,
    vocabulary(file, views, (key) => entries.get(`${top}data/${key}`)),
    file,
  );
  const inflated = new Map<ZipEntry, Promise<Uint8Array>>();
  const tensors = new Map<string, CheckpointTensor>();
  const collect = (value: unknown, path: readonly string[]): void => {
    if (views.has(value)) tensors.set(path.join('.'), tensorOf(source, value as View, inflated));
    else if (value instanceof Map && path.length < maxDepth)
      for (const [key, inner] of value) collect(inner, [...path, String(key)]);
  };
  collect(root, []);
  return tensors;
}

/** What the pickle may say: containers, storages, and views of them. */
function vocabulary(
  file: string,
  views: Set<unknown>,
  find: (key: string) => ZipEntry | undefined,
): Parameters<typeof unpickle>[1] {
  const wrong = (what: string, found: unknown): FormatError => new FormatError(what, { file, key: 'data.pkl', found });
  const types = new Map<unknown, SampleType>();
  const storages = new Set<unknown>();
  const globals = new Map<string, PickleGlobal>();
  for (const [name, type] of Object.entries(storageTypes)) {
    const storage: PickleGlobal = () => {
      throw wrong('The pickle makes a storage of its own', name);
    };
    types.set(storage, type);
    globals.set(name, storage);
  }
  const tensor: PickleGlobal = ([storage, offset, shape, strides]) => {
    if (!storages.has(storage) || !whole([offset]) || !whole(shape) || !whole(strides) || shape.length !== strides.length) {
      throw wrong('A tensor of the pickle is malformed', [offset, shape, strides].join('; '));
    }
    const view: View = { storage: storage as Storage, offset: offset as number, shape, strides };
    const { length } = view.storage;
    // No more elements than its storage has: nothing that training saves is a repetition, and sizes stay honest.
    if (size(shape) > length || (size(shape) > 0 && !(view.offset + extent(view) <= length))) {
      throw wrong(`A tensor of [${shape.join(', ')}] is larger than its storage of ${length}`, `offset ${view.offset}`);
    }
    views.add(view);
    return view;
  };
  globals.set('torch._utils _rebuild_tensor', tensor);
  globals.set('torch._utils _rebuild_tensor_v2', tensor);
  globals.set('torch._utils _rebuild_parameter', ([data]) => data);
  globals.set('torch Size', ([items]) => items);
  globals.set('collections OrderedDict', ([items = []]) => {
    if (!Array.isArray(items) || !items.every((item) => Array.isArray(item) && item.length === 2)) {
      throw wrong('A dictionary of the pickle is malformed', String(items));
    }
    return new Map(items as [unknown, unknown][]);
  });
  const persistent = (id: unknown): Storage => {
    const [kind, storageClass, key, , length] = Array.isArray(id) ? (id as unknown[]) : [];
    const type = types.get(storageClass);
    if (kind !== 'storage' || type === undefined || typeof key !== 'string' || !whole([length])) {
      throw wrong('A storage of the pickle is malformed, or of a type that is not read', String(id));
    }
    const entry = find(key);
    const bytes = (length as number) * bytesPerSample(type);
    if (entry === undefined || entry.size !== bytes) {
      throw wrong(`Storage ${key} should have ${bytes} bytes`, entry === undefined ? 'none' : entry.size);
    }
    const storage: Storage = { entry, type, length: length as number };
    storages.add(storage);
    return storage;
  };
  return { globals, persistent };
}

function whole(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0);
}

/** Elements from the first to the last. */
function extent({ shape, strides }: View): number {
  return 1 + shape.reduce((sum, n, axis) => sum + (n - 1) * strides[axis]!, 0);
}

function tensorOf(source: ByteSource, view: View, inflated: Map<ZipEntry, Promise<Uint8Array>>): CheckpointTensor {
  const { storage, offset, shape } = view;
  const { entry, type } = storage;
  const read = async (): Promise<Float32Array> => {
    if (size(shape) === 0) return new Float32Array(0);
    const [start, length] = [offset, extent(view)].map((n) => n * bytesPerSample(type)) as [number, number];
    if (entry.method === 0) return gather(view, decodeSamples(await readZipRange(source, entry, start, length), type, true));
    const whole = inflated.get(entry) ?? readZipEntry(source, entry);
    inflated.set(entry, whole);
    return gather(view, decodeSamples((await whole).subarray(start, start + length), type, true));
  };
  return { shape, type, read };
}

/** Elements in C order from a stretch that begins with the first of them. */
function gather({ shape, strides }: View, values: Float32Array): Float32Array {
  const plain = shape.reduceRight((step, n, axis) => (n === 1 || strides[axis] === step ? step * n : Number.NaN), 1);
  if (plain === values.length) return values;
  const out = new Float32Array(size(shape));
  const index = new Array<number>(shape.length).fill(0);
  for (let i = 0, at = 0; i < out.length; i++) {
    out[i] = values[at]!;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at += strides[axis]!;
      if (++index[axis]! < shape[axis]!) break;
      at -= shape[axis]! * strides[axis]!;
      index[axis] = 0;
    }
  }
  return out;
}
