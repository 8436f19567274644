/** @file  What stands at the end of each verb's help: a call that works as it is, and what comes next. */
export const examples: Readonly<Record<string, readonly string[]>> = {
  phantom: ['coincide phantom --kind thorax --seed 7 -o phantom', 'then: coincide simulate --activity phantom/activity.nii.gz …'],
  simulate: [
    'coincide simulate --activity phantom/activity.nii.gz --mu phantom/mu.nii.gz --counts 1.6e7 --dose 0.05 -o scan',
    'then: coincide recon scan --method osem -o osem.nii.gz',
  ],
  histogram: [
    'coincide histogram PET_ACQ_small.l.hdr.STIR --frame 0.1,0.6 -o scan',
    'then: put mult_factors.hs and additive_term.hs into the folder if you have them; coincide recon scan --method osem -o osem.nii.gz',
  ],
  recon: [
    'coincide recon scan --method osem -o osem.nii.gz',
    'coincide recon scan --method diffpir --spread spread.nii.gz -o diffpir.nii.gz',
    'then: coincide denoise osem.nii.gz …, coincide report osem.nii.gz …, coincide view osem.nii.gz',
  ],
  denoise: [
    'coincide denoise osem.nii.gz -o denoised.nii.gz',
    'coincide denoise PET_SERIES_FOLDER -o DENOISED_FOLDER',
    'then: coincide view osem.nii.gz denoised.nii.gz',
  ],
  batch: [
    'coincide batch studies.csv --shard 1/4 -- --mode samples',
    'studies.csv: a first line input,output, then one study a line',
  ],
  evaluate: [
    'coincide evaluate osem.nii.gz --reference phantom/activity.nii.gz --labels phantom/labels.nii.gz --background muscle',
  ],
  train: [
    'coincide train config.json -o model',
    'config.json at the least: { "name": "mine" }; then: coincide denoise … --model model',
  ],
  import: [
    'coincide import model.pt --licence CC-BY-NC-SA-4.0 -o imported',
    'then: coincide denoise suv.nii.gz --preset yu2025 --model imported -o denoised.nii.gz',
  ],
  info: ['coincide info scan', 'coincide info scan --plan', 'coincide info --plan --scanner mMR --span 11'],
  doctor: ['coincide doctor'],
  demo: ['coincide demo -o demo', 'then: open demo/report.html'],
  report: ['coincide report osem.nii.gz denoised.nii.gz --reference phantom/activity.nii.gz -o report.html'],
  view: ['coincide view osem.nii.gz denoised.nii.gz --open'],
};
