#!/usr/bin/env bash
# Executes every notebook with tslab, headlessly, in a scratch project that uses this package as a user would: build/notebooks.
# Needs jupyter-nbconvert (Debian: jupyter-nbconvert jupyter-client jupyter-core).
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
scratch=$root/build/notebooks
rm -rf "$scratch" && mkdir -p "$scratch/kernels/kernels/tslab"
cd "$scratch"
echo '{ "name": "notebooks", "private": true, "allowScripts": { "zeromq": false } }' > package.json
npm install --no-audit --no-fund --save-exact tslab@1.0.22
ln -s "$root" node_modules/coincide
echo '{ "argv": ["npx", "--no-install", "tslab", "kernel", "--config-path", "{connection_file}"], "display_name": "TypeScript", "language": "typescript" }' \
  > kernels/kernels/tslab/kernel.json
cp "$root"/examples/*.ipynb .
for notebook in *.ipynb; do
  JUPYTER_PATH=$scratch/kernels jupyter nbconvert --to notebook --execute --inplace "$notebook" --ExecutePreprocessor.timeout=600
  node -e '
    const { cells } = JSON.parse(require("fs").readFileSync(process.argv[1], "utf8"));
    const outputs = cells.flatMap((cell) => cell.outputs ?? []);
    const text = outputs.flatMap((output) => output.text ?? []).join("");
    const pictures = outputs.filter((output) => output.data?.["image/png"]).length;
    process.stdout.write(text);
    if (pictures === 0) throw new Error("no picture in " + process.argv[1]);
    console.log(pictures + " pictures in " + process.argv[1]);
  ' "$notebook"
done
