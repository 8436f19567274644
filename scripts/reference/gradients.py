"""Makes test/fixtures/gradients.json with PyTorch, in double precision:
    python3 scripts/reference/gradients.py > test/fixtures/gradients.json

Outputs and gradients of the operations, of the whole U-Net and of its low-rank adapter. Tensor j of a case, element i: sin(0.7 i + 1.3 j + 0.2),
times the scale of the case. The loss of an operation is sum(y * r), r element i: cos(0.9 i). Numbers are float32 in base64.
"""

import base64
import json
import math

import torch
from torch.nn import functional as F

torch.set_default_dtype(torch.float64)


def values(shape, j, scale=1.0):
    i = torch.arange(math.prod(shape), dtype=torch.float64)
    # Through float32, as the tests have them.
    return (scale * torch.sin(0.7 * i + 1.3 * j + 0.2)).reshape(shape).float().double()


def text(t):
    return base64.b64encode(t.detach().float().contiguous().numpy().tobytes()).decode()


def conv(x, w, b=None, stride=1):
    return F.conv3d(x, w, b, stride=stride, padding=[k // 2 for k in w.shape[2:]])


def fold(x, block=(2, 2, 2)):
    n, c, d, h, w = x.shape
    a, b, e = block
    y = x.reshape(n, c, d // a, a, h // b, b, w // e, e).permute(0, 1, 3, 5, 7, 2, 4, 6)
    return y.reshape(n, c * a * b * e, d // a, h // b, w // e)


def unfold(x, block=(2, 2, 2)):
    n, c, d, h, w = x.shape
    a, b, e = block
    y = x.reshape(n, c // (a * b * e), a, b, e, d, h, w).permute(0, 1, 5, 2, 6, 3, 7, 4)
    return y.reshape(n, c // (a * b * e), a * d, b * h, e * w)


def attention(qkv, c):
    n, all3, t = qkv.shape
    q, k, v = qkv.reshape(n * (all3 // 3 // c), 3 * c, t).split(c, dim=1)
    a = torch.softmax(torch.einsum("bct,bcs->bts", q, k) / math.sqrt(c), dim=-1)
    return torch.einsum("bts,bcs->bct", a, v).reshape(n, all3 // 3, t)


def film(x, g, b, groups):
    n, c = x.shape[:2]
    y = F.group_norm(x, groups)
    return y * g.reshape(n, c, 1, 1, 1) + b.reshape(n, c, 1, 1, 1)


OPERATIONS = {
    "conv 3x3x3 stacked": ([[2, 3, 3, 4, 5], [4, 3, 3, 3, 3], [4]], conv),
    "conv 3x3x3 swapped": ([[1, 9, 3, 3, 4], [10, 9, 3, 3, 3], [10]], conv),
    "conv 3x3x3 sliced": ([[1, 9, 5, 5, 4], [9, 9, 3, 3, 3], [9]], conv),
    "conv 1x3x3": ([[2, 3, 2, 4, 5], [4, 3, 1, 3, 3], [4]], conv),
    "conv 1x1x1": ([[2, 3, 2, 4, 5], [4, 3, 1, 1, 1], [4]], conv),
    "conv 3x3x3 stride 1,2,2": ([[2, 3, 3, 4, 6], [4, 3, 3, 3, 3], [4]], lambda x, w, b: conv(x, w, b, (1, 2, 2))),
    "group norm": ([[2, 6, 2, 3, 4], [6], [6]], lambda x, g, b: F.group_norm(x, 3, g, b)),
    "FiLM": ([[2, 6, 2, 3, 4], [2, 6], [2, 6]], lambda x, g, b: film(x, g, b, 3)),
    "SiLU": ([[2, 3, 5]], F.silu),
    "linear": ([[3, 5], [5, 4], [4]], lambda x, w, b: x @ w + b),
    "softmax": ([[2, 3, 5]], lambda x: torch.softmax(x, -1)),
    "attention, 2 heads": ([[2, 12, 7]], lambda x: attention(x, 2)),
    "fold": ([[1, 2, 2, 4, 6]], fold),
    "unfold": ([[1, 16, 1, 2, 3]], unfold),
    "nearest 2x2x2": ([[1, 2, 2, 3, 2]], lambda x: F.interpolate(x, scale_factor=2, mode="nearest")),
    "nearest 1x2x2": ([[1, 2, 2, 3, 2]], lambda x: F.interpolate(x, scale_factor=(1, 2, 2), mode="nearest")),
    "mean of 1x2x2": ([[1, 2, 3, 4, 6]], lambda x: F.avg_pool3d(x, (1, 2, 2))),
    "mean of 2x2x2": ([[1, 2, 2, 4, 6]], lambda x: F.avg_pool3d(x, 2)),
    "mean squared error": ([[2, 3, 4]], lambda x: F.mse_loss(x, values(x.shape, 7))),
    "mean absolute error": ([[2, 3, 4]], lambda x: F.l1_loss(x, values(x.shape, 7))),
}


def operation(shapes, f):
    inputs = [values(shape, j).requires_grad_() for j, shape in enumerate(shapes)]
    y = f(*inputs)
    r = torch.cos(0.9 * torch.arange(y.numel())).reshape(y.shape)
    (y * r).sum().backward()
    return {"shapes": shapes, "y": text(y), "gradients": [text(x.grad) for x in inputs]}


# The U-Net of src/network/unet.ts: channels 4, 8; blocks 1, 2; 2 groups; FiLM; two heads; N = 2; patch 8 x 8 x 16.
CHANNELS, BLOCKS, GROUPS, EMBEDDING, FEATURES, N = [4, 8], [1, 2], 2, 6, 9, 2
PATCH = [8, 8, 16]
RANK, SCALE = 2, 0.5


def unet(x, features, skip, parameter, convolve):
    def cv(name, x, width, k):
        return convolve(name, x, parameter(f"{name}.weight", [width, x.shape[1], k, k, k]), parameter(f"{name}.bias", [width]))

    def linear(name, x, width):
        return x @ parameter(f"{name}.weight", [x.shape[1], width]) + parameter(f"{name}.bias", [width])

    def norm(name, x):
        c = x.shape[1]
        return F.group_norm(x, GROUPS, parameter(f"{name}.gamma", [c]), parameter(f"{name}.beta", [c]))

    e = F.silu(linear("time2", F.silu(linear("time1", features, EMBEDDING)), EMBEDDING))

    def block(name, x, width):
        s, b = linear(f"{name}.time", e, 2 * width).reshape(N, 2 * width, 1, 1, 1).chunk(2, dim=1)
        h = cv(f"{name}.conv1", F.silu(norm(f"{name}.norm1", x)), width, 3)
        h = cv(f"{name}.conv2", F.silu(norm(f"{name}.norm2", h) * (1 + s) + b), width, 3)
        return (x if x.shape[1] == width else cv(f"{name}.skip", x, width, 1)) + h

    def stage(name, x, level):
        for i in range(BLOCKS[level]):
            x = block(name if i == 0 else f"{name}.{i}", x, CHANNELS[level])
        return x

    h = cv("stem", fold(x), CHANNELS[0], 3)
    skips = []
    for level, width in enumerate(CHANNELS):
        if level > 0:
            h = cv(f"down{level}", fold(h), width, 1)
        h = stage(f"encoder{level}", h, level)
        skips.append(h)
    for level in reversed(range(len(CHANNELS) - 1)):
        h = F.interpolate(cv(f"up{level}", h, CHANNELS[level], 1), scale_factor=2, mode="nearest")
        h = stage(f"decoder{level}", torch.cat([h, skips[level]], 1), level)
    both = cv("head", F.silu(norm("head.norm", h)), 16, 3)
    flag = features[:, 6].reshape(N, 1, 1, 1, 1)
    return unfold(both[:, :8] * (1 - flag) + both[:, 8:] * flag) - skip * x[:, 1:2]


def network():
    x = values([N, 3, *PATCH], 0)
    features = values([N, FEATURES], 1)
    features[0, 6], features[1, 6] = 0, 1
    skip = torch.tensor([0.8, 0.3]).reshape(N, 1, 1, 1, 1).float().double()
    target = values([N, 1, *PATCH], 2)
    weight = torch.tensor([0.5, 2.0]).reshape(N, 1, 1, 1, 1)
    parameters = {}

    def parameter(name, shape):
        if name not in parameters:
            j = 10 + len(parameters)
            fan = math.prod(shape[:1] if len(shape) == 2 else shape[1:]) if len(shape) > 1 else 0
            start = values(shape, j, 1 / math.sqrt(fan) if fan else 0.1)
            parameters[name] = ((start + 1) if name.endswith("gamma") else start).float().double().requires_grad_()
        return parameters[name]

    def loss_of(convolve):
        v = unet(x, features, skip, parameter, convolve)
        return v, (weight * (v - target) ** 2).mean()

    v, loss = loss_of(lambda _, x, w, b: conv(x, w, b))
    loss.backward()
    whole = {"v": text(v), "loss": loss.item(), "gradients": {k: text(p.grad) for k, p in parameters.items()}}

    adapters = {}

    def adapted(name, x, w, b):
        if w.shape[2] != 3 or min(w.shape[0], w.shape[1]) <= RANK:
            return conv(x, w.detach(), b.detach())
        j = 200 + len(adapters)
        down = values([RANK, *w.shape[1:]], j, 1 / math.sqrt(math.prod(w.shape[1:])))
        up = values([w.shape[0], RANK], j + 1, 0.3)
        for suffix, t in (("A", down), ("B", up)):
            adapters[f"{name}.lora_{suffix}"] = t.requires_grad_()
        delta = torch.einsum("or,rcdhw->ocdhw", up, down)
        return conv(x, w.detach() + SCALE * delta, b.detach())

    v, loss = loss_of(adapted)
    loss.backward()
    lora = {"v": text(v), "loss": loss.item(), "gradients": {k: text(p.grad) for k, p in adapters.items()}}
    return {"unet": whole, "lora": lora}


print(json.dumps({"operations": {name: operation(*case) for name, case in OPERATIONS.items()}, **network()}, indent=1))
