/** @file  The nuclides of PET, under the many names that headers give them. */

/** Half-lives by mass number and element, s. National Nuclear Data Center, NuDat 3. */
const halfLives: readonly (readonly [RegExp, string, number])[] = [
  [/\b11.?C\b|\bC.?11\b|carbon/i, 'C-11', 1221.8],
  [/\b13.?N\b|\bN.?13\b|nitrogen/i, 'N-13', 597.9],
  [/\b15.?O\b|\bO.?15\b|oxygen/i, 'O-15', 122.24],
  [/\b18.?F\b|\bF.?18\b|fluorine/i, 'F-18', 6586.2],
  [/\b68.?Ga\b|\bGa.?68\b/i, 'Ga-68', 4062.6],
  [/\b82.?Rb\b|\bRb.?82\b/i, 'Rb-82', 75.45],
  [/\b64.?Cu\b|\bCu.?64\b/i, 'Cu-64', 45723],
  [/\b89.?Zr\b|\bZr.?89\b/i, 'Zr-89', 282276],
];

/** The library's name of a nuclide, 'F-18'; undefined for others. */
export function nuclideName(nuclide: string): string | undefined {
  return knownNuclide(nuclide)?.[1];
}

/** Physical half-life by the name of a nuclide (F-18, 18F, ^18^Fluorine …), s; undefined for others. */
export function halfLifeOf(nuclide: string): number | undefined {
  return knownNuclide(nuclide)?.[2];
}

function knownNuclide(nuclide: string): (typeof halfLives)[number] | undefined {
  return halfLives.find(([pattern]) => pattern.test(nuclide.replaceAll('^', '')));
}
