// SPDX-License-Identifier: MIT
// weft_stitch without the argument checks: every parameter is filled in.
#pragma once
#include <weft/edit.h>

weft_result weft_stitch_go(const weft_image *photo, const weft_image *edit, const weft_image *mask, const weft_stitch_params *params,
                           weft_image **out, weft_stitch_facts *facts);
