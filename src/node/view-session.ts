/** @file  What the viewer's page is given: images as little-endian float32 NIfTI-1 in RAS+ order, and in words what they are. */
import { basename } from 'node:path';
import { type PetImage, petImage } from '../core/image.js';
import { type ShownImage, shownImage } from '../geometry/shown.js';
import { writeNifti } from '../io/nifti.js';
import { readLabels } from './images.js';
import { provenanceTable } from './report-tables.js';
import { readShown } from './sidecar.js';
import { version } from './version.js';

export interface ViewSession {
  readonly coincide: string;
  readonly images: readonly ShownImage[];
  readonly spread?: ShownImage | undefined;
  readonly labels?: (ShownImage & { readonly names: Readonly<Record<string, string>> }) | undefined;
  /** Key, then what each image's sidecar says. */
  readonly provenance: readonly (readonly string[])[];
  readonly warnings: readonly string[];
}

export interface ViewFiles {
  readonly session: ViewSession;
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/** Reads what is to be looked at. @throws FormatError naming the file that cannot be read. */
export async function viewSession(
  sources: readonly string[],
  { spread, labels, frame }: { spread?: string | undefined; labels?: string | undefined; frame?: number | undefined } = {},
): Promise<ViewFiles> {
  const files = new Map<string, Uint8Array>();
  const ends = [...sources, ...(spread === undefined ? [] : [spread]), ...(labels === undefined ? [] : [labels])].map(last);
  const named = (source: string): string => (ends.filter((end) => end === last(source)).length > 1 ? source : last(source));
  let first: PetImage | undefined;
  const add = (image: PetImage, source: string, file: string): ShownImage => {
    files.set(file, writeNifti({ ...petImage(image.grid, image.values, image.unit), affine: image.affine }));
    first ??= image;
    return shownImage(image, named(source), file, first);
  };
  const images: ShownImage[] = [];
  const sidecars: (Readonly<Record<string, unknown>> | undefined)[] = [];
  for (const [i, source] of sources.entries()) {
    const { image, sidecar } = await readShown(source, frame);
    images.push(add(image, source, `${i}.nii`));
    sidecars.push(sidecar);
  }
  const map = labels === undefined ? undefined : await readLabels(labels);
  const columns = images.map(({ name }, i) => ({ name, note: '', image: first!, sidecar: sidecars[i] }));
  const session: ViewSession = {
    ...{ coincide: version(), images },
    ...(spread === undefined ? {} : { spread: add((await readShown(spread, frame)).image, spread, 'spread.nii') }),
    ...(map ? { labels: { ...add(map.labels, labels!, 'labels.nii'), names: map.names } } : {}),
    provenance: provenanceTable({}, columns).rows,
    warnings: [...new Set(sidecars.flatMap((sidecar) => (Array.isArray(sidecar?.warnings) ? sidecar.warnings.map(String) : [])))],
  };
  return { session, files };
}

/** Name without its folder; a file that two are called by keeps its path. */
const last = (source: string): string => basename(source.replace(/[/\\]+$/, ''));
