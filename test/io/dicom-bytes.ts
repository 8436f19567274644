/** DICOM files written byte by byte, apart from the library's own writer, so that reader and writer cannot share a mistake. */
import { deflateSync } from 'fflate';

/** 'ggggeeee' → VR and value; an array is a sequence of items. */
export type Elements = Readonly<Record<string, readonly [vr: string, value: string | number | Uint8Array | readonly Elements[]]>>;
export type Syntax = 'implicit' | 'explicit' | 'deflated';

const syntaxes: Record<Syntax, string> = {
  implicit: '1.2.840.10008.1.2',
  explicit: '1.2.840.10008.1.2.1',
  deflated: '1.2.840.10008.1.2.1.99',
};

const text = (value: string, pad: string): Buffer => Buffer.from(value.length % 2 ? value + pad : value, 'latin1');
const u16 = (value: number): Buffer => Buffer.from([value & 255, (value >> 8) & 255]);
const u32 = (value: number): Buffer => Buffer.from([value & 255, (value >> 8) & 255, (value >> 16) & 255, (value >>> 24) & 255]);

function encode(elements: Elements, explicit: boolean, undefinedLengths = false): Buffer {
  return Buffer.concat(
    Object.keys(elements)
      .sort()
      .map((tag) => {
        const [vr, value] = elements[tag]!;
        const name = Buffer.concat([u16(Number.parseInt(tag.slice(0, 4), 16)), u16(Number.parseInt(tag.slice(4), 16))]);
        let body: Buffer;
        let length: number;
        if (Array.isArray(value)) {
          const items = value.map((item: Elements) => {
            const inside = encode(item, explicit, undefinedLengths);
            const open = Buffer.from([0xfe, 0xff, 0x00, 0xe0]);
            return undefinedLengths
              ? Buffer.concat([open, u32(0xffffffff), inside, Buffer.from([0xfe, 0xff, 0x0d, 0xe0, 0, 0, 0, 0])])
              : Buffer.concat([open, u32(inside.length), inside]);
          });
          body = Buffer.concat(undefinedLengths ? [...items, Buffer.from([0xfe, 0xff, 0xdd, 0xe0, 0, 0, 0, 0])] : items);
          length = undefinedLengths ? 0xffffffff : body.length;
        } else {
          body =
            typeof value === 'string'
              ? text(value, vr === 'UI' ? '\0' : ' ')
              : typeof value === 'number'
                ? vr === 'UL'
                  ? u32(value)
                  : u16(value)
                : Buffer.from(value as Uint8Array);
          length = body.length;
        }
        if (!explicit) return Buffer.concat([name, u32(length), body]);
        const long = ['OB', 'OW', 'SQ', 'UN', 'UT'].includes(vr);
        return Buffer.concat([name, Buffer.from(vr), long ? Buffer.concat([u16(0), u32(length)]) : u16(length), body]);
      }),
  );
}

/** A whole file. @param transfer UID to claim instead of the true one. */
export function dicomBytes(
  elements: Elements,
  { syntax = 'explicit', transfer, undefinedLengths }: { syntax?: Syntax; transfer?: string; undefinedLengths?: boolean } = {},
): Uint8Array {
  const meta = encode({ '00020001': ['OB', Uint8Array.of(0, 1)], '00020010': ['UI', transfer ?? syntaxes[syntax]] }, true);
  const body = encode(elements, syntax !== 'implicit', undefinedLengths);
  return Buffer.concat([
    Buffer.alloc(128),
    Buffer.from('DICM'),
    encode({ '00020000': ['UL', meta.length] }, true),
    meta,
    syntax === 'deflated' ? Buffer.from(deflateSync(body)) : body,
  ]);
}

/** A place and its axes in DICOM's world (left, posterior, superior), mm. */
export interface Stack {
  readonly rows: number;
  readonly columns: number;
  readonly slices: number;
  readonly spacing: readonly [row: number, column: number];
  readonly across: readonly number[];
  readonly down: readonly number[];
  readonly position: readonly number[];
  readonly step: readonly number[];
}

const axes = (turn: number, tilt: number) => {
  const [c, s, ct, st] = [Math.cos(turn), Math.sin(turn), Math.cos(tilt), Math.sin(tilt)];
  return { across: [c, s, 0], down: [-s * ct, c * ct, st], normal: [s * st, -c * st, ct] };
};
const oblique = axes(0.2, 0.15);

export const axial: Stack = {
  ...{ rows: 5, columns: 7, slices: 6, spacing: [3, 2] },
  ...{ across: [1, 0, 0], down: [0, 1, 0], position: [-6, -5.5, 40], step: [0, 0, 4] },
};
/** An oblique stack whose slices go down. */
export const tilted: Stack = {
  ...{ rows: 6, columns: 4, slices: 5, spacing: [2.5, 3.25] },
  ...{ across: oblique.across, down: oblique.down, position: [-20, 31, -7], step: oblique.normal.map((n) => -3.5 * n) },
};
export const coronal: Stack = {
  ...{ rows: 6, columns: 5, slices: 4, spacing: [2, 3] },
  ...{ across: [1, 0, 0], down: [0, 0, -1], position: [-6, -20, 50], step: [0, 5, 0] },
};

/** Position in RAS+ mm of a pixel. */
export function worldOf(stack: Stack, column: number, row: number, slice: number): [number, number, number] {
  const lps = [0, 1, 2].map(
    (i) =>
      stack.position[i]! +
      column * stack.spacing[1] * stack.across[i]! +
      row * stack.spacing[0] * stack.down[i]! +
      slice * stack.step[i]!,
  );
  return [-lps[0]!, -lps[1]!, lps[2]!];
}

export const injection: Elements = {
  '00180031': ['LO', 'FDG'],
  '00181072': ['TM', '101500.000000'],
  '00181074': ['DS', '370000000'],
  '00181075': ['DS', '6586.2'],
  '00181078': ['DT', '20240506101500.000000'],
  '00540300': ['SQ', [{ '00080100': ['SH', 'C-111A1'], '00080102': ['SH', 'SRT'], '00080104': ['LO', '^18^Fluorine'] }]],
};

/** The header of a static whole-body slice, of a 75 kg patient, 60 min after injection. */
export const header: Elements = {
  '00080005': ['CS', 'ISO_IR 100'],
  '00080008': ['CS', 'ORIGINAL\\PRIMARY'],
  '00080016': ['UI', '1.2.840.10008.5.1.4.1.1.128'],
  '00080020': ['DA', '20240506'],
  '00080021': ['DA', '20240506'],
  '00080022': ['DA', '20240506'],
  '00080023': ['DA', '20240506'],
  '00080030': ['TM', '110000'],
  '00080031': ['TM', '111500.000000'],
  '00080032': ['TM', '111500.000000'],
  '00080033': ['TM', '112500'],
  '00080050': ['SH', ''],
  '00080060': ['CS', 'PT'],
  '00080070': ['LO', 'Nobody'],
  '00080090': ['PN', ''],
  '0008103e': ['LO', 'PET WB'],
  '00100010': ['PN', 'Doe^J\xfcrgen'],
  '00100020': ['LO', 'P1'],
  '00100030': ['DA', '19600101'],
  '00100040': ['CS', 'O'],
  '00101030': ['DS', '75.0'],
  '00180050': ['DS', '4'],
  '00181242': ['IS', '180000'],
  '00185100': ['CS', 'HFS'],
  '0020000d': ['UI', '1.2.3.4'],
  '0020000e': ['UI', '1.2.3.4.5'],
  '00200010': ['SH', 'S1'],
  '00200011': ['IS', '4'],
  '00200052': ['UI', '1.2.3.9'],
  '00201040': ['LO', ''],
  '00280002': ['US', 1],
  '00280004': ['CS', 'MONOCHROME2'],
  '00280051': ['CS', 'NORM\\DTIM\\ATTN\\SCAT\\DECY\\RAN'],
  '00280100': ['US', 16],
  '00280101': ['US', 16],
  '00280102': ['US', 15],
  '00280103': ['US', 1],
  '00281052': ['DS', '0'],
  '00290010': ['LO', 'SOME VENDOR'],
  '00291001': ['OB', Uint8Array.of(1, 2, 3, 4)],
  '00540013': ['SQ', [{ '00540014': ['DS', '435'], '00540015': ['DS', '650'] }]],
  '00540016': ['SQ', [injection]],
  '00540081': ['US', 6],
  '00540410': ['SQ', []],
  '00540414': ['SQ', []],
  '00541000': ['CS', 'WHOLE BODY\\IMAGE'],
  '00541001': ['CS', 'BQML'],
  '00541002': ['CS', 'EMISSION'],
  '00541102': ['CS', 'START'],
  '00541300': ['DS', '89000'],
  '00541321': ['DS', '1.01'],
  '00541330': ['US', 1],
};

export interface SeriesFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/**
 * A series whose voxels are `value` at their places, one slope a slice, in a shuffled order with misleading instance numbers.
 * @param change elements of slice k to replace; undefined removes one.
 */
export function dicomSeries(
  stack: Stack,
  value: (right: number, anterior: number, superior: number) => number,
  {
    change = () => ({}),
    ...how
  }: {
    change?: (slice: number) => Readonly<Record<string, Elements[string] | undefined>>;
    syntax?: Syntax;
    transfer?: string;
    undefinedLengths?: boolean;
  } = {},
): SeriesFile[] {
  const { rows, columns, slices, spacing } = stack;
  const files = Array.from({ length: slices }, (_, k) => {
    const values = Array.from({ length: rows * columns }, (_, i) =>
      value(...worldOf(stack, i % columns, Math.floor(i / columns), k)),
    );
    const slope = Number((Math.max(...values.map(Math.abs)) / 30000 || 1).toPrecision(8));
    const stored = Int16Array.from(values, (v) => Math.round(v / slope));
    const elements: Record<string, Elements[string] | undefined> = {
      ...header,
      '00080018': ['UI', `1.2.3.4.5.${k + 1}`],
      '00200013': ['IS', String(((7 * k) % slices) + 1)],
      '00200032': ['DS', stack.position.map((p, i) => (p + k * stack.step[i]!).toFixed(6)).join('\\')],
      '00200037': ['DS', [...stack.across, ...stack.down].map((c) => c.toFixed(9)).join('\\')],
      '00280010': ['US', rows],
      '00280011': ['US', columns],
      '00280030': ['DS', spacing.join('\\')],
      '00281053': ['DS', String(slope)],
      '7fe00010': ['OW', new Uint8Array(stored.buffer)],
      ...change(k),
    };
    const kept = Object.fromEntries(Object.entries(elements).filter(([, element]) => element !== undefined)) as Elements;
    return { name: `slice-${k}`, bytes: dicomBytes(kept, how) };
  });
  return [...files].sort((a, b) => ((Number(a.name.at(-1)) * 7) % 11) - ((Number(b.name.at(-1)) * 7) % 11));
}
