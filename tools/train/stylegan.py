# SPDX-License-Identifier: MIT
"""The bundled generator: StyleGAN2 ("skip" form) at 64x64, with the parameter names of NVIDIA's stylegan2-ada.

Activations are modulated in place of weights, which gives the same numbers and is faster on a processor.
"""
import math

import torch
from torch import nn
from torch.nn import functional as F

Z, W, DEPTH, WIDE, MAPPING_RATE = 128, 128, 8, 256, .01
WIDTHS = {4: 256, 8: 192, 16: 128, 32: 64, 64: 32}
LAYERS = 2 * len(WIDTHS)
FIR = torch.outer(*[torch.tensor([1., 3, 3, 1])] * 2) / 64


def upsampling():
    """[9, 4*9]: takes a 3x3 kernel to the four 3x3 kernels (one per pixel of a 2x2 block) that scale up by two and
    filter, as a transposed convolution followed by the FIR filter does."""
    wide = F.conv_transpose2d(torch.eye(9).view(9, 1, 3, 3), 4 * FIR[None, None])  # 6x6 kernels
    return torch.stack([wide[:, 0, [p + 4, p + 2, p]][:, :, [q + 4, q + 2, q]].reshape(9, 9)
                        for p in (0, 1) for q in (0, 1)], 1).reshape(9, 36)


UPSAMPLING = upsampling()


class Half:
    """Whether convolutions run in bfloat16 (training) or float32 (everything else)."""
    on = False


def conv(x, weight, **more):
    if Half.on:
        return F.conv2d(x.bfloat16(), weight.bfloat16(), **more).float()
    return F.conv2d(x, weight, **more)


def leaky(x):
    return F.leaky_relu(x, .2)


class FullyConnected(nn.Module):
    def __init__(self, inside, outside, rate=1., bias=0.):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outside, inside) / rate)
        self.bias = nn.Parameter(torch.full((outside,), bias))
        self.gain, self.rate = rate / math.sqrt(inside), rate

    def forward(self, x):
        return F.linear(x, self.weight * self.gain, self.bias * self.rate)


class Mapping(nn.Module):
    def __init__(self):
        super().__init__()
        for i in range(DEPTH):
            self.add_module(f"fc{i}", FullyConnected(WIDE if i else Z, WIDE if i < DEPTH - 1 else W, MAPPING_RATE))
        self.register_buffer("w_avg", torch.zeros(W))

    def forward(self, z):
        x = z * (z.square().mean(1, keepdim=True) + 1e-8).rsqrt()
        for i in range(DEPTH):
            x = leaky(getattr(self, f"fc{i}")(x)) * math.sqrt(2)
        return x


class Layer(nn.Module):
    def __init__(self, inside, outside, side, up):
        super().__init__()
        self.affine = FullyConnected(W, inside, bias=1.)
        self.weight = nn.Parameter(torch.randn(outside, inside, 3, 3))
        self.noise_strength = nn.Parameter(torch.zeros([]))
        self.bias = nn.Parameter(torch.zeros(outside))
        self.register_buffer("noise_const", torch.randn(side, side))
        self.register_buffer("resample_filter", FIR.clone())
        self.up = up

    def forward(self, x, w, random):
        style = self.affine(w)
        outside, inside = self.weight.shape[:2]
        scale = math.sqrt(2) * (style.square() @ self.weight.square().sum((2, 3)).t() + 1e-8).rsqrt()
        x, weight = x * style[:, :, None, None], self.weight
        if self.up:
            weight = (weight.reshape(-1, 9) @ UPSAMPLING).view(outside, inside, 4, 9).permute(2, 0, 1, 3)
            weight = weight.reshape(4 * outside, inside, 3, 3)
        x = conv(x, weight.contiguous(memory_format=torch.channels_last), padding=1)
        if self.up:
            n, _, h, _ = x.shape
            x = x.permute(0, 2, 3, 1).view(n, h, h, 2, 2, outside).transpose(2, 3).reshape(n, 2 * h, 2 * h, outside)
            x = x.permute(0, 3, 1, 2)
        noise = torch.randn(len(x), 1, *x.shape[2:]) if random else self.noise_const
        noise = noise * (self.noise_strength * math.sqrt(2))
        return leaky(torch.addcmul(noise + self.bias[:, None, None] * math.sqrt(2), x, scale[:, :, None, None]))


class ToRGB(nn.Module):
    def __init__(self, inside):
        super().__init__()
        self.affine = FullyConnected(W, inside, bias=1.)
        self.weight = nn.Parameter(torch.randn(3, inside, 1, 1))
        self.bias = nn.Parameter(torch.zeros(3))

    def forward(self, x, w):
        style = self.affine(w) / math.sqrt(self.weight.shape[1])
        kernels = self.weight[:, :, 0, 0] * style[:, None]
        n, c, h, _ = x.shape
        y = kernels @ x.permute(0, 2, 3, 1).reshape(n, h * h, c).transpose(1, 2)
        return y.view(n, 3, h, h) + self.bias[:, None, None]


class Block(nn.Module):
    def __init__(self, inside, outside, side):
        super().__init__()
        self.register_buffer("resample_filter", FIR.clone())
        if inside:
            self.conv0 = Layer(inside, outside, side, True)
        else:
            self.const = nn.Parameter(torch.randn(outside, side, side))
        self.conv1 = Layer(outside, outside, side, False)
        self.torgb = ToRGB(outside)


def double(image):
    """Doubles a picture with the FIR filter."""
    n, c, h, w = image.shape
    return F.conv_transpose2d(image.reshape(n * c, 1, h, w), 4 * FIR[None, None], stride=2, padding=1).view(
        n, c, 2 * h, 2 * w)


class Synthesis(nn.Module):
    def __init__(self):
        super().__init__()
        inside = 0
        for side, width in WIDTHS.items():
            self.add_module(f"b{side}", Block(inside, width, side))
            inside = width

    def forward(self, ws, random=False, top=64):
        """ws [n, LAYERS, W] -> picture [n, 3, top, top]; random: fresh noise in place of the constants."""
        image, at = None, 0
        for side in WIDTHS:
            block = getattr(self, f"b{side}")
            if side == 4:
                x = block.const.expand(len(ws), -1, -1, -1).contiguous(memory_format=torch.channels_last)
            else:
                x, at = block.conv0(x, ws[:, at], random), at + 1
            x, at = block.conv1(x, ws[:, at], random), at + 1
            rgb = block.torgb(x, ws[:, at])
            image = rgb if image is None else double(image) + rgb
            if side == top:
                break
        return image


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.mapping, self.synthesis = Mapping(), Synthesis()

    def draw(self, w, random=False, top=64):
        """w [n, W] -> picture."""
        return self.synthesis(w[:, None].expand(-1, LAYERS, -1), random, top)

    def forward(self, z, psi=1.):
        return self.draw(self.mapping.w_avg.lerp(self.mapping(z), psi))
