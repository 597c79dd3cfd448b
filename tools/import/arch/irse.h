// SPDX-License-Identifier: MIT
// Residual networks with squeeze-and-excitation in the form that face recognition uses, the trunk of identity networks and
// of encoders into StyleGAN's latent space.
#pragma once
#include "import/net.h"

enum { IRSE_STAGES = 8 };
typedef struct irse_stage { weft_value x; int channels; } irse_stage;

// input_layer and body of the checkpoint: as many units, of such widths, as it has; a stage begins with the first unit and
// with each that changes the width, and halves the size. Gives how many stages there are; `out`: the end of each.
int irse_trunk(net *n, weft_value x, irse_stage out[IRSE_STAGES]);
