# SPDX-License-Identifier: MIT
"""The bundled inpainting network: two gated-convolution stages, self-attention in the second.

    forward(image [n,3,h,w] in [-1,1], mask [n,1,h,w] with 1 = hole) -> (coarse, fine), both [n,3,h,w] in [-1,1]

h and w are multiples of 8. The picture under the hole is never read. `fine` is the result; a caller composites it:
image * (1 - mask) + fine * mask. 739 K parameters, 3.2 GFLOP at 256x256.

Layers, in order. G cin>cout k s d: gated convolution NAME.conv, weight [2*cout,cin,k,k] and bias [2*cout], stride s,
dilation d, zero padding d*(k//2) on all sides; of its outputs the first cout are a, the others b: elu(a) * sigmoid(b),
elu with alpha 1. C cin>cout k: plain convolution NAME, stride 1, zero padding k//2. up: nearest x2. [x, y]:
concatenation along the channels, x first.

    known = image * (1 - mask)                                  size
    coarse.down1     G  4>16  5 2 1  [known, mask]              1/2
    coarse.down2     G 16>32  3 2 1                             1/4   = quarter
    coarse.down3     G 32>48  3 2 1                             1/8   = x
    coarse.middle.0  G 48>48  3 1 1  x = x + layer(x)           1/8
    coarse.middle.1  G 48>48  3 1 2  x = x + layer(x)           1/8
    coarse.middle.2  G 48>48  3 1 4  x = x + layer(x)           1/8
    coarse.middle.3  G 48>48  3 1 8  x = x + layer(x)           1/8
    coarse.up1       G 80>24  3 1 1  [up x, quarter]            1/4
    coarse.head      C 24>3   3                                 1/4
    bilinear x4 (half-pixel centres, edge replicated), tanh     1/1   = coarse

    full = [known + coarse * mask, mask]                        1/1
    fine.down1       G  4>16  5 2 1  full                       1/2   = half
    fine.down2       G 16>32  3 2 1                             1/4   = quarter
    fine.down3       G 32>64  3 2 1                             1/8   = x
    fine.middle.0    G 64>64  3 1 1  x = x + layer(x)           1/8
    fine.middle.1    G 64>64  3 1 2  x = x + layer(x)           1/8
    fine.middle.2    G 64>64  3 1 4  x = x + layer(x)           1/8
    fine.middle.3    G 64>64  3 1 8  x = x + layer(x)           1/8
    fine.attention.query  C 64>16 1  q [16,n], n = h/8 * w/8    1/8
    fine.attention.key    C 64>16 1  k [16,n]                   1/8
    fine.attention.value  C 64>64 1  v [64,n]                   1/8
    fine.attention.gamma  [1]  w[i,j] = softmax over j of q[:,i].k[:,j]; x[:,i] += gamma * sum over j of w[i,j] v[:,j]
    fine.last        G 64>64  3 1 1  x = x + layer(x)           1/8
    fine.up1         G 96>32  3 1 1  [up x, quarter]            1/4
    fine.up2         G 48>16  3 1 1  [up x, half]               1/2
    fine.up3         G 20>8   3 1 1  [up x, full]               1/1
    fine.head        C  8>3   3                                 1/1
    tanh                                                        1/1   = fine
"""
import torch
from torch import nn
from torch.nn import functional as F


class Gated(nn.Module):
    """conv with 2 * cout outputs, split in halves a, b along the channels: elu(a) * sigmoid(b)."""

    def __init__(self, cin, cout, size=3, stride=1, dilation=1):
        super().__init__()
        self.conv = nn.Conv2d(cin, 2 * cout, size, stride, dilation * (size // 2), dilation)

    def forward(self, x):
        a, b = self.conv(x).chunk(2, 1)
        return F.elu(a) * torch.sigmoid(b)


class Attention(nn.Module):
    """x + gamma * attention over all positions of the picture, as in SAGAN: no scale before the softmax."""

    def __init__(self, channels, inner):
        super().__init__()
        self.query = nn.Conv2d(channels, inner, 1)
        self.key = nn.Conv2d(channels, inner, 1)
        self.value = nn.Conv2d(channels, channels, 1)
        self.gamma = nn.Parameter(torch.full((1,), .5))

    def forward(self, x):
        q, k, v = (conv(x).flatten(2) for conv in (self.query, self.key, self.value))
        weights = torch.softmax(q.transpose(1, 2) @ k, -1)
        return x + self.gamma * (v @ weights.transpose(1, 2)).view_as(x)


def double(x):
    return F.interpolate(x, scale_factor=2, mode="nearest")


class Coarse(nn.Module):
    def __init__(self):
        super().__init__()
        self.down1 = Gated(4, 16, 5, 2)
        self.down2 = Gated(16, 32, 3, 2)
        self.down3 = Gated(32, 48, 3, 2)
        self.middle = nn.ModuleList(Gated(48, 48, dilation=d) for d in (1, 2, 4, 8))
        self.up1 = Gated(48 + 32, 24)
        self.head = nn.Conv2d(24, 3, 3, 1, 1)

    def forward(self, x):
        quarter = self.down2(self.down1(x))
        x = self.down3(quarter)
        for layer in self.middle:
            x = x + layer(x)
        x = self.up1(torch.cat([double(x), quarter], 1))
        return torch.tanh(F.interpolate(self.head(x), scale_factor=4, mode="bilinear", align_corners=False))


class Fine(nn.Module):
    def __init__(self):
        super().__init__()
        self.down1 = Gated(4, 16, 5, 2)
        self.down2 = Gated(16, 32, 3, 2)
        self.down3 = Gated(32, 64, 3, 2)
        self.middle = nn.ModuleList(Gated(64, 64, dilation=d) for d in (1, 2, 4, 8))
        self.attention = Attention(64, 16)
        self.last = Gated(64, 64)
        self.up1 = Gated(64 + 32, 32)
        self.up2 = Gated(32 + 16, 16)
        self.up3 = Gated(16 + 4, 8)
        self.head = nn.Conv2d(8, 3, 3, 1, 1)

    def forward(self, full):
        half = self.down1(full)
        quarter = self.down2(half)
        x = self.down3(quarter)
        for layer in self.middle:
            x = x + layer(x)
        x = self.attention(x)
        x = x + self.last(x)
        x = self.up1(torch.cat([double(x), quarter], 1))
        x = self.up2(torch.cat([double(x), half], 1))
        x = self.up3(torch.cat([double(x), full], 1))
        return torch.tanh(self.head(x))


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.coarse = Coarse()
        self.fine = Fine()

    def forward(self, image, mask):
        known = image * (1 - mask)
        coarse = self.coarse(torch.cat([known, mask], 1))
        fine = self.fine(torch.cat([known + coarse * mask, mask], 1))
        return coarse, fine
