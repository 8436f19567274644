/** @file  How one subject differs from the next: every size, place and uptake of a phantom goes through these. */
import { random } from '../core/random.js';

export interface Variation {
  /** The canonical subject, where nothing varies? */
  readonly canonical: boolean;
  /** Normal deviate of this standard deviation, cut at ± 2.5; 0 in the canonical subject. */
  spread(sd: number): number;
  /** nominal · (1 + spread(relative)). */
  size(nominal: number, relative?: number): number;
  /** Uniform in [low, high); `canonical` in the canonical subject. */
  between(low: number, high: number, canonical: number): number;
  /** True in this share of subjects; never in the canonical one. */
  chance(share: number): boolean;
}

/** @param seed 0 for the canonical subject. @param stream separates purposes, so that a change in one leaves the others as they were. */
export function variation(seed: number, stream: number): Variation {
  const r = random(seed, stream);
  const canonical = seed === 0;
  const spread = (sd: number): number => (canonical ? 0 : sd * Math.max(-2.5, Math.min(2.5, r.normal())));
  return {
    canonical,
    spread,
    size: (nominal, relative = 0.07) => nominal * (1 + spread(relative)),
    between: (low, high, fixed) => (canonical ? fixed : low + (high - low) * r.uniform()),
    chance: (share) => !canonical && r.uniform() < share,
  };
}
