"""Makes test/fixtures/ssim.json:  python3 scripts/ssim-golden.py > test/fixtures/ssim.json

Mean structural similarity by brute force, window by window, straight from the definition that scikit-image states for
`structural_similarity` with its defaults (Wang et al. 2004, doi:10.1109/TIP.2003.819861, Eq. 13):
uniform window of 7 voxels, use_sample_covariance=True (divide by 7^3 - 1), K1 = 0.01, K2 = 0.03, mean over the voxels at least
3 away from every border. Plain Python, `fsum` for all sums: independent of the library's running sums.
Inputs follow formulas that the test repeats; they are rounded to float32 first, as the library stores them.
"""

import json
import math
import struct


def float32(value):
    return struct.unpack("f", struct.pack("f", value))[0]


def reference(z, y, x):
    return float32(3 + 2 * math.sin(0.7 * z + 0.3 * y) + 0.05 * x * y - 0.02 * z * x)


def image(z, y, x):
    return float32(reference(z, y, x) + 0.4 * math.cos(1.3 * x - 0.6 * z) + 0.01 * y * z)


def ssim(shape, data_range):
    nz, ny, nx = shape
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    n = 7**3
    values = []
    for cz in range(3, nz - 3):
        for cy in range(3, ny - 3):
            for cx in range(3, nx - 3):
                window = [
                    (z, y, x)
                    for z in range(cz - 3, cz + 4)
                    for y in range(cy - 3, cy + 4)
                    for x in range(cx - 3, cx + 4)
                ]
                a = [image(*p) for p in window]
                b = [reference(*p) for p in window]
                ua, ub = math.fsum(a) / n, math.fsum(b) / n
                va = math.fsum((p - ua) ** 2 for p in a) / (n - 1)
                vb = math.fsum((q - ub) ** 2 for q in b) / (n - 1)
                cov = math.fsum((p - ua) * (q - ub) for p, q in zip(a, b)) / (n - 1)
                values.append(
                    (2 * ua * ub + c1) * (2 * cov + c2) / ((ua**2 + ub**2 + c1) * (va + vb + c2))
                )
    return math.fsum(values) / len(values)


cases = [([9, 11, 13], 5.0), ([7, 8, 15], 1.5), ([12, 9, 7], 20.0)]
print(json.dumps([{"shape": s, "dataRange": r, "ssim": ssim(s, r)} for s, r in cases], indent=2))
