/** @file  Expected randoms from delayed coincidences. Delayeds are too few to be used bin by bin, but each detector is in many bins: with
 *  singles rates ρ_r of the rings and γ_c of the crystals around a ring (the product is the rate of a crystal), a bin of plane p, view v
 *  and tangential position t expects
 *    r_pvt ∝ λ_p · κ_vt,   λ_p = Σ_(r₁,r₂)∈p  ρ_r₁ ρ_r₂,   κ_vt = Σ_(c₁,c₂)∈vt  γ_c₁ γ_c₂,
 *  the same in every bin of time of flight, scaled so that the sum of the randoms is that of the delayeds. ρ maximises the Poisson
 *  likelihood of the delayeds d_p summed over planes, γ that of the delayeds d_vt summed over (v, t): sharing d_p out among its ring pairs
 *  and bounding ρ_r₁ ρ_r₂ from above by squares (minorise–maximise: the likelihood never falls) gives
 *    ρ_r ← ρ_r √( Σ d_p ρ_r ρ_r' / λ_p  /  Σ ρ_r ρ_r' ),   sums over the pairs in the data that have r in them. */
import { type CallOptions, turn } from '../core/iterate.js';
import { type BinValues, filledBins, separable } from '../geometry/bin-values.js';
import { detectorsOf, ringPairs } from '../geometry/bins.js';
import { firstTangential, type Sinogram, type SinogramLayout, sinogramShape, viewMash } from '../geometry/sinogram.js';

/** Detectors (rings, or crystals around the ring) that meet in pairs, and the bin that each pair counts in. */
interface Pairs {
  readonly first: Int32Array;
  readonly second: Int32Array;
  readonly bin: Int32Array;
}

const iterations = 100;

/**
 * Mean randoms in every bin, with the layout of the delayeds. Gap crystals see nothing. In arc-corrected data bins are not crystal
 * pairs: there the crystals are taken as equal.
 */
export async function estimateRandoms({ layout, values }: Sinogram, { signal }: CallOptions = {}): Promise<Sinogram> {
  const [tofBins, planes, views, tangential] = sinogramShape(layout);
  const perPlane = views * tangential;
  const ofPlane = new Float64Array(planes);
  const ofPlace = new Float64Array(perPlane);
  for (let row = 0, at = 0; row < tofBins * planes; row++) {
    for (let place = 0; place < perPlane; place++, at++) {
      const count = values.data[at]!;
      if (count === 0) continue;
      ofPlane[row % planes]! += count;
      ofPlace[place]! += count;
    }
    if (row % 100 === 0) await turn(signal);
  }
  return filledBins(await fittedRandoms(layout, { ofPlane, ofPlace }, { signal }), { signal });
}

/** Delayeds summed over places and bins of time of flight, shape [plane], and over planes, shape [view][tangential]. */
export interface DelayedSums {
  readonly ofPlane: Float64Array;
  readonly ofPlace: Float64Array;
}

/** The same from what the estimate needs to know of the delayeds, for bins that are not held in memory. */
export async function fittedRandoms(
  layout: SinogramLayout,
  { ofPlane, ofPlace }: DelayedSums,
  { signal }: CallOptions = {},
): Promise<BinValues> {
  const lambda = await fittedMeans(pairsOfRings(layout), layout.scanner.rings, ofPlane, signal);
  const kappa = layout.arcCorrected
    ? new Float64Array(ofPlace.length).fill(1)
    : await fittedMeans(pairsOfCrystals(layout), layout.scanner.detectorsPerRing, ofPlace, signal);

  const sum = (means: Float64Array): number => means.reduce((a, b) => a + b, 0);
  const all = sum(lambda) * sum(kappa) * layout.tofBins;
  const scale = all > 0 ? sum(ofPlane) / all : 0;
  return separable(
    layout,
    lambda.map((mean) => scale * mean),
    kappa,
  );
}

/** λ of every bin for the rates that fit the counts best. */
async function fittedMeans(
  { first, second, bin }: Pairs,
  detectors: number,
  counts: Float64Array,
  signal: AbortSignal | undefined,
): Promise<Float64Array> {
  const rho = new Float64Array(detectors).fill(1);
  const lambda = new Float64Array(counts.length);
  for (let iteration = 0; ; iteration++) {
    await turn(signal);
    lambda.fill(0);
    for (let i = 0; i < bin.length; i++) lambda[bin[i]!]! += rho[first[i]!]! * rho[second[i]!]!;
    if (iteration === iterations) return lambda;
    const counted = new Float64Array(detectors);
    const expected = new Float64Array(detectors);
    for (let i = 0; i < bin.length; i++) {
      const [a, b, k] = [first[i]!, second[i]!, bin[i]!];
      const mean = rho[a]! * rho[b]!;
      const share = mean > 0 ? (counts[k]! * mean) / lambda[k]! : 0;
      counted[a]! += share;
      counted[b]! += share;
      expected[a]! += mean;
      expected[b]! += mean;
    }
    for (let d = 0; d < detectors; d++) if (expected[d]! > 0) rho[d]! *= Math.sqrt(counted[d]! / expected[d]!);
  }
}

function pairsOfRings(layout: SinogramLayout): Pairs {
  const rows: [number, number, number][] = [];
  let plane = 0;
  layout.segments.forEach(({ axialPositions }, s) => {
    for (let axial = 0; axial < axialPositions; axial++, plane++) {
      for (const [ring1, ring2] of ringPairs(layout, s, axial)) rows.push([ring1, ring2, plane]);
    }
  });
  return columns(rows);
}

function pairsOfCrystals(layout: SinogramLayout): Pairs {
  const { detectorsPerRing, gap } = layout.scanner;
  const isGap = (crystal: number): boolean => gap !== undefined && crystal % gap.period === gap.residue;
  const mash = viewMash(layout);
  const rows: [number, number, number][] = [];
  for (let view = 0; view < layout.views * mash; view++) {
    for (let i = 0; i < layout.tangential; i++) {
      const { detector1, detector2 } = detectorsOf(detectorsPerRing, view, firstTangential(layout) + i);
      if (!isGap(detector1) && !isGap(detector2))
        rows.push([detector1, detector2, Math.floor(view / mash) * layout.tangential + i]);
    }
  }
  return columns(rows);
}

function columns(rows: readonly (readonly [number, number, number])[]): Pairs {
  const column = (k: 0 | 1 | 2): Int32Array => Int32Array.from(rows, (row) => row[k]);
  return { first: column(0), second: column(1), bin: column(2) };
}
