#!/usr/bin/env bash
# Executes notebooks with tslab, headlessly, in the project where scripts/check-package.sh has installed the package as a user would. The executed
# notebooks, pictures included, are in build/notebooks afterwards; every one must show a picture.
# Needs jupyter-nbconvert (Debian: jupyter-nbconvert jupyter-client jupyter-core).  scripts/run-notebooks.sh [NAME…]
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
scratch=$root/build/notebooks
[ -e "$root/build/package/node_modules/tslab" ] || "$root/scripts/check-package.sh"
rm -rf "$scratch" && mkdir -p "$scratch/kernels/kernels/tslab"
ln -s ../package/node_modules "$scratch/node_modules"
echo '{ "name": "notebooks", "private": true }' > "$scratch/package.json"
cd "$scratch"
echo '{ "argv": ["npx", "--no-install", "tslab", "kernel", "--config-path", "{connection_file}"], "display_name": "TypeScript", "language": "typescript" }' \
  > kernels/kernels/tslab/kernel.json
names=("$@")
[ $# -gt 0 ] || for notebook in "$root"/examples/*.ipynb; do names+=("$(basename "$notebook" .ipynb)"); done
for name in "${names[@]}"; do
  started=$SECONDS
  cp "$root/examples/$name.ipynb" .
  JUPYTER_PATH=$scratch/kernels jupyter nbconvert --to notebook --execute --inplace "$name.ipynb" --ExecutePreprocessor.timeout=600
  node -e '
    const { cells } = JSON.parse(require("fs").readFileSync(process.argv[1], "utf8"));
    const outputs = cells.flatMap((cell) => cell.outputs ?? []);
    const text = outputs.flatMap((output) => output.text ?? []).join("");
    const pictures = outputs.filter((output) => output.data?.["image/png"]).length;
    process.stdout.write(text);
    if (pictures === 0) throw new Error("no picture in " + process.argv[1]);
    console.log(pictures + " pictures in " + process.argv[1]);
  ' "$name.ipynb"
  echo "$name: $((SECONDS - started)) s"
done
