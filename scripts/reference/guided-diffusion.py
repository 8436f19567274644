"""Makes test/fixtures/guided-diffusion.json with PyTorch:
    python3 scripts/reference/guided-diffusion.py > test/fixtures/guided-diffusion.json

Networks of the guided-diffusion family, written from the papers (arXiv:2105.05233, arXiv:2102.09672) under the names of their checkpoints.
Weight j of the state dict, element i: s = sin(0.7 i + 1.3 j); s/sqrt(fan-in) for matrices, 1 + 0.1 s for the weights of a normalisation,
0.1 s for biases. Input element i: sin(0.37 i). With --checkpoint FILE it writes the state dict of the published 3D network at 32 channels;
with --random CHANNELS FILE that with so many channels (128: its full size), and the weights that PyTorch begins a training with, seed 1.
"""

import json
import math
import sys

import torch
from torch import nn
from torch.nn import functional as F


def conv(dims, cin, cout, kernel=3, stride=1):
    kind = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}[dims]
    strides = (1, stride, stride) if dims == 3 else stride
    return kind(cin, cout, kernel, stride=strides, padding=kernel // 2)


def halve(dims, x):
    return F.avg_pool2d(x, 2) if dims == 2 else F.avg_pool3d(x, (1, 2, 2))


def double(dims, x):
    return F.interpolate(x, scale_factor=2.0 if dims == 2 else (1.0, 2.0, 2.0), mode="nearest")


class Block(nn.Module):
    def __init__(self, dims, cin, cout, embedding, film, mode="plain"):
        super().__init__()
        self.dims, self.film, self.mode = dims, film, mode
        self.in_layers = nn.Sequential(nn.GroupNorm(32, cin), nn.SiLU(), conv(dims, cin, cout))
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(embedding, 2 * cout if film else cout))
        self.out_layers = nn.Sequential(nn.GroupNorm(32, cout), nn.SiLU(), nn.Dropout(0), conv(dims, cout, cout))
        self.skip_connection = nn.Identity() if cin == cout else conv(dims, cin, cout, 1)

    def forward(self, x, e):
        move = {"plain": lambda v: v, "down": lambda v: halve(self.dims, v), "up": lambda v: double(self.dims, v)}[self.mode]
        h = self.in_layers[2](move(self.in_layers[1](self.in_layers[0](x))))
        m = self.emb_layers(e).reshape(e.shape[0], -1, *[1] * self.dims)
        if self.film:
            scale, shift = m.chunk(2, dim=1)
            h = self.out_layers[0](h) * (1 + scale) + shift
        else:
            h = self.out_layers[0](h + m)
        return self.skip_connection(move(x)) + self.out_layers[3](self.out_layers[1](h))


class Attention(nn.Module):
    def __init__(self, channels, head_channels, order):
        super().__init__()
        self.c, self.order = head_channels, order
        self.norm = nn.GroupNorm(32, channels)
        self.qkv = conv(1, channels, 3 * channels, 1)
        self.proj_out = conv(1, channels, channels, 1)

    def forward(self, x, e):
        n, channels = x.shape[:2]
        rows = x.reshape(n, channels, -1)
        qkv = self.qkv(self.norm(rows))
        heads = channels // self.c
        if self.order == "head-first":
            q, k, v = qkv.reshape(n, heads, 3, self.c, -1).unbind(2)
        else:
            q, k, v = qkv.reshape(n, 3, heads, self.c, -1).unbind(1)
        w = torch.einsum("nhct,nhcs->nhts", q, k).div(math.sqrt(self.c)).softmax(-1)
        a = torch.einsum("nhts,nhcs->nhct", w, v).reshape(n, channels, -1)
        return (rows + self.proj_out(a)).reshape(x.shape)


class Down(nn.Module):
    def __init__(self, dims, channels):
        super().__init__()
        self.op = conv(dims, channels, channels, 3, 2)

    def forward(self, x, e):
        return self.op(x)


class Pool(nn.Module):
    def __init__(self, dims, move):
        super().__init__()
        self.dims, self.move = dims, move

    def forward(self, x, e):
        return self.move(self.dims, x)


class Up(nn.Module):
    def __init__(self, dims, channels):
        super().__init__()
        self.dims, self.conv = dims, conv(dims, channels, channels)

    def forward(self, x, e):
        return self.conv(double(self.dims, x))




class Network(nn.Module):
    def __init__(self, c):
        super().__init__()
        dims, m, widths, film = c["dimensions"], c["features"], c["widths"], c["film"]
        emb = 4 * m
        self.features = m
        self.time_embed = nn.Sequential(nn.Linear(m, emb), nn.SiLU(), nn.Linear(emb, emb))

        def res(cin, cout, mode="plain"):
            return Block(dims, cin, cout, emb, film, mode)

        def attention(width):
            return Attention(width, c["headChannels"], c["headOrder"])

        def resample(width, mode):
            if c["resampling"] == "residual":
                return res(width, width, mode)
            if c["resampling"] == "pooling":
                return Pool(dims, halve if mode == "down" else double)
            return Down(dims, width) if mode == "down" else Up(dims, width)

        self.input_blocks = nn.ModuleList([nn.ModuleList([conv(dims, c["inputChannels"], widths[0])])])
        stack, ch = [widths[0]], widths[0]
        for level, width in enumerate(widths):
            for _ in range(c["blocks"]):
                layers = [res(ch, width)]
                ch = width
                if level in c["attention"]["levels"]:
                    layers.append(attention(ch))
                self.input_blocks.append(nn.ModuleList(layers))
                stack.append(ch)
            if level < len(widths) - 1:
                self.input_blocks.append(nn.ModuleList([resample(ch, "down")]))
                stack.append(ch)
        middle = [res(ch, ch)] + ([attention(ch)] if c["attention"]["middle"] else []) + [res(ch, ch)]
        self.middle_block = nn.ModuleList(middle)
        self.output_blocks = nn.ModuleList()
        for level in reversed(range(len(widths))):
            for i in range(c["blocks"] + 1):
                skip = stack.pop()
                width = widths[level] if c["decoder"] == "standard" else (stack[-1] if stack else skip)
                layers = [res(ch + skip, width)]
                ch = width
                if level in c["attention"]["levels"]:
                    layers.append(attention(ch))
                if level > 0 and i == c["blocks"]:
                    layers.append(resample(ch, "up"))
                self.output_blocks.append(nn.ModuleList(layers))
        self.out = nn.Sequential(nn.GroupNorm(32, ch), nn.SiLU(), conv(dims, ch, c["outputChannels"]))

    def forward(self, x, t):
        half = self.features // 2
        f = torch.exp(-math.log(10000) * torch.arange(half, dtype=torch.float32) / half)
        a = t * f[None]
        e = self.time_embed(torch.cat([a.cos(), a.sin()], dim=1))
        stack = []
        h = self.input_blocks[0][0](x)
        stack.append(h)
        for layers in self.input_blocks[1:]:
            for layer in layers:
                h = layer(h, e)
            stack.append(h)
        for layer in self.middle_block:
            h = layer(h, e)
        for layers in self.output_blocks:
            h = torch.cat([h, stack.pop()], dim=1)
            for layer in layers:
                h = layer(h, e)
        return self.out(h)


def fill(network):
    for j, (name, p) in enumerate(network.state_dict().items()):
        i = torch.arange(p.numel(), dtype=torch.float64)
        s = torch.sin(0.7 * i + 1.3 * j)
        if p.ndim > 1:
            s = s / math.sqrt(p[0].numel())
        else:
            s = 1 + 0.1 * s if name.endswith("weight") else 0.1 * s
        p.copy_(s.reshape(p.shape).float())


def family(**changes):
    c = dict(kind="guided-diffusion", dimensions=2, inputChannels=2, outputChannels=2, features=32, widths=[32, 64], blocks=1)
    c.update(film=False, resampling="convolution", decoder="standard", attention=dict(levels=[1], middle=True))
    c.update(headChannels=16, headOrder="head-first")
    c.update(changes)
    return c


torch.set_grad_enabled(False)
torch.set_num_threads(1)
none = dict(levels=[], middle=False)


def published(m):
    widths = [m, m, 2 * m, 3 * m, 4 * m]
    c = dict(dimensions=3, features=m, widths=widths, blocks=2, film=True, resampling="residual", decoder="hybrid", attention=none)
    return Network(family(**c))


if len(sys.argv) == 3 and sys.argv[1] == "--checkpoint":
    network = published(32)
    fill(network)
    torch.save(network.state_dict(), sys.argv[2])
    sys.exit()
if len(sys.argv) == 4 and sys.argv[1] == "--random":
    torch.manual_seed(1)
    torch.save(published(int(sys.argv[2])).state_dict(), sys.argv[3])
    sys.exit()
cases = [
    (family(), [2, 2, 8, 12], 37),
    (family(film=True, resampling="residual", headOrder="kind-first", inputChannels=1, outputChannels=1), [1, 1, 8, 4], 999),
    (family(resampling="pooling", blocks=2, attention=dict(levels=[0], middle=False)), [1, 2, 4, 6], 0),
    (family(dimensions=3, film=True, widths=[32, 32, 64], features=64), [1, 2, 3, 8, 12], 500),
    (family(dimensions=3, resampling="pooling", decoder="hybrid", attention=none, widths=[32, 64, 96]), [1, 2, 2, 4, 8], 250),
]
results = []
for c, shape, t in cases:
    network = Network(c).eval()
    fill(network)
    x = torch.sin(0.37 * torch.arange(math.prod(shape), dtype=torch.float64)).float().reshape(shape)
    y = network(x, float(t)).flatten().double()
    results.append(
        dict(
            architecture=c,
            shape=shape,
            t=t,
            weights={name: list(p.shape) for name, p in network.state_dict().items()},
            first=[round(v, 7) for v in y[:6].tolist()],
            last=round(y[-1].item(), 7),
            mean=round(y.mean().item(), 7),
            deviation=round(y.std(unbiased=False).item(), 7),
        )
    )
print(json.dumps(results))
