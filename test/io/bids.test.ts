import { describe, expect, it } from 'vitest';
import { FormatError } from '../../src/core/errors.js';
import { bidsFrames, bidsOfFacts, bidsSuv, bidsUnit, isBidsPet } from '../../src/io/bids.js';
import { type SuvFacts, suvFactor } from '../../src/io/suv.js';

const sidecar = {
  ...{ Modality: 'PET', Units: 'Bq/mL', TracerName: 'FDG', TracerRadionuclide: 'F18', BodyWeight: 75 },
  ...{ InjectedRadioactivity: 370, InjectedRadioactivityUnits: 'MBq', TimeZero: '11:15:00', ScanStart: 0, InjectionStart: -3600 },
  ...{ FrameTimesStart: [0, 60], FrameDuration: [60, 120], ImageDecayCorrected: true, ImageDecayCorrectionTime: 0 },
};

describe('PET-BIDS', () => {
  it('leads to SUV: 75 kg, 370 MBq, 60 min after injection', () => {
    const { suvPerUnit, uptake } = bidsSuv(sidecar, 'x.json');
    expect(suvPerUnit / (75000 / (370e6 * 0.6846329195720021))).toBeCloseTo(1, 9);
    expect(uptake).toBe(3600);
    expect(bidsSuv({ ...sidecar, Units: 'kBq/mL' }, 'x').suvPerUnit / suvPerUnit).toBeCloseTo(1000, 6);
    expect(
      bidsSuv({ ...sidecar, InjectedRadioactivity: 10, InjectedRadioactivityUnits: 'mCi' }, 'x').suvPerUnit / suvPerUnit,
    ).toBeCloseTo(1, 9);
    expect(bidsSuv({ Units: 'SUV', TracerName: 'FDG' }, 'x').suvPerUnit).toBe(1);
    expect([bidsUnit(sidecar), bidsUnit({ Units: 'g/mL' }), bidsUnit({ Units: 'kBq/mL' })]).toEqual(['Bq/mL', 'SUV', 'unknown']);
  });

  it.each([
    [{ BodyWeight: undefined }, /BodyWeight.*PatientWeight, in kg.*participants/],
    [{ BodyWeight: 0 }, /BodyWeight.*found 0/],
    [{ InjectedRadioactivity: undefined }, /InjectedRadioactivity\).*none/],
    [{ InjectedRadioactivity: 370, InjectedRadioactivityUnits: 'Bq' }, /InjectedRadioactivity.*0\.1 MBq/],
    [{ InjectedRadioactivityUnits: 'Ci/mol' }, /unit of the dose.*Ci\/mol/],
    [{ TracerRadionuclide: 'Xx99' }, /half-life.*Xx99/],
    [{ ImageDecayCorrected: false }, /decay.*ImageDecayCorrected/],
    [{ ImageDecayCorrectionTime: undefined }, /ImageDecayCorrectionTime/],
    [{ InjectionStart: undefined }, /InjectionStart/],
    [{ InjectionStart: 86400 }, /not before the scan.*86400/],
    [{ Units: 'arbitrary' }, /no absolute unit.*arbitrary/],
  ])('refuses %j', (change, says) => {
    expect(() => bidsSuv({ ...sidecar, ...change }, 'x.json')).toThrow(FormatError);
    expect(() => bidsSuv({ ...sidecar, ...change }, 'x.json')).toThrow(says);
  });

  it('knows the times of its frames, and their number', () => {
    expect(bidsFrames(sidecar, 2, 'x')).toEqual({ starts: [0, 60], durations: [60, 120] });
    expect(() => bidsFrames(sidecar, 3, 'x.json')).toThrow(/x\.json.*FrameTimesStart.*3 numbers.*2 values/);
    expect(isBidsPet(sidecar)).toBe(true);
    for (const other of [null, [], { unit: 'SUV' }, { 1: 'liver' }]) expect(isBidsPet(other)).toBe(false);
  });

  it('says of a DICOM series what leads to the same SUV', () => {
    const facts: SuvFacts = {
      ...{
        units: 'BQML',
        corrected: ['ATTN', 'DECY'],
        weight: 81.5,
        injections: 1,
        dose: 253e6,
        halfLife: 6586.2,
        nuclide: '^18^Fluorine',
      },
      ...{
        injectionDateTime: 1.7e9 - 4000,
        seriesTime: 1.7e9,
        firstAcquisition: 1.7e9 + 3,
        acquisitionTime: 1.7e9 + 3,
        frameDuration: 180,
      },
      decayCorrection: 'START',
    };
    for (const decayCorrection of ['START', 'ADMIN']) {
      const said = bidsOfFacts([{ ...facts, decayCorrection }], { TracerName: 'FDG', Manufacturer: undefined }, 'Bq/mL');
      const direct = suvFactor({ ...facts, decayCorrection }, 'x').suvPerUnit;
      expect(bidsSuv(said, 'x').suvPerUnit / direct).toBeCloseTo(1, 6);
      expect(said).toMatchObject({
        TracerRadionuclide: 'F18',
        FrameTimesStart: [3],
        FrameDuration: [180],
        InjectionStart: -4000,
      });
      expect('Manufacturer' in said).toBe(false);
    }
    const overnight = { ...facts, injectionDateTime: undefined, injectionTime: (1.7e9 % 86400) + 600 };
    expect(bidsOfFacts([overnight], {}, 'SUV').InjectionStart).toBe(600 - 86400);
  });
});
