// SPDX-License-Identifier: MIT
// The convolutions of VGG and AlexNet, whose activations others compare.
#pragma once
#include "import/net.h"

enum { VGG_TAPS = 5 }; // stages, each of which ends with a tap

typedef enum vgg_net { VGG16, VGG19, ALEX } vgg_net;
typedef struct vgg_tap { weft_value x; int64_t channels; } vgg_tap;

// Takes x through the stages; `taps` becomes the last activation of each stage. With `every`,
// each activation and each pooling becomes an output: relu1_1, relu1_2, pool1, ... Widths are the checkpoint's. Names are
// torchvision's (features.0), the lpips package's (net.slice1.0), NVIDIA's (layers.conv1) or plain ones (conv1_1).
void vgg(net *n, vgg_net which, weft_value x, bool every, vgg_tap taps[VGG_TAPS]);
