"""Makes test/fixtures/torch/*.pt with PyTorch (1.13):  python3 scripts/reference/torch-checkpoints.py test/fixtures/torch

Small checkpoints in each of the layouts that training scripts write. Values follow v(i) = sin(i), rounded to the type, which the test repeats.
"""

import collections
import sys

import torch

folder = sys.argv[1]


def values(n):
    return torch.sin(torch.arange(n, dtype=torch.float64)).float()


# All tensors are views of two flat storages, as mixed-precision training with flat master parameters saves them.
matrices, vectors = values(2 * 3 + 4 * 2 * 2), values(5)
torch.save(
    collections.OrderedDict(
        [
            ("a.weight", matrices[:6].view(2, 3)),
            ("a.bias", vectors[:2]),
            ("b.weight", matrices[6:].view(4, 2, 2)),
            ("b.bias", vectors[2:]),
        ]
    ),
    f"{folder}/views.pt",
)

# Parameters and metadata: the state of a module, and its parameters wrapped.
layer = torch.nn.Linear(3, 2)
with torch.no_grad():
    layer.weight.copy_(values(6).view(2, 3))
    layer.bias.copy_(values(2))
torch.save(layer.state_dict(), f"{folder}/module.pt")
torch.save(collections.OrderedDict(weight=layer.weight, bias=layer.bias), f"{folder}/parameters.pt")

# Other types, strides that are no rows, a scalar, an empty tensor, numbers beside, one dictionary in another.
grid = values(24).view(2, 3, 4)
torch.save(
    {
        "epoch": 7,
        "loss": 0.25,
        "name": "trial",
        "betas": (0.9, 0.999),
        "state_dict": {
            "half": values(5).half(),
            "bfloat": values(5).bfloat16(),
            "double": values(5).double(),
            "long": torch.arange(-2, 3),
            "byte": torch.arange(5, dtype=torch.uint8),
            "transposed": grid.permute(2, 0, 1),
            "stepped": grid[:, ::2, 1:3],
            "scalar": torch.tensor(1.5),
            "empty": torch.zeros(0, 3),
        },
    },
    f"{folder}/mixed.pt",
)

torch.save(layer.state_dict(), f"{folder}/legacy.pt", _use_new_zipfile_serialization=False)
