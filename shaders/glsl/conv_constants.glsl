// Constants 3 to 11 of every convolution kernel.
layout(constant_id = 3) const bool TRANSPOSED = false;
layout(constant_id = 4) const uint PAD_MODE = 0;
layout(constant_id = 5) const bool BIAS = false;
layout(constant_id = 6) const uint ACT = 0;
layout(constant_id = 7) const bool GATE = false;   // channels co.. of w and b gate the first ones
layout(constant_id = 8) const uint RESIDUAL = 0;   // 1: r is added after the activation, 2: before
layout(constant_id = 9) const uint EXTRAS = 0;     // bits:
#define EXTRA_D 1u          // the sum is multiplied by d[n, co]
#define EXTRA_ONE_NOISE 2u  // noise is added, the same to all images
#define EXTRA_NOISE 4u      // or each has its own
#define EXTRA_STRENGTH 8u   // times a number
#define EXTRA_S 16u         // x is multiplied by s[n, ci]
#define EXTRA_HALF_W 32u    // w is stored in f16, though all else is f32
#define HALF_W ((EXTRAS & EXTRA_HALF_W) != 0)
layout(constant_id = 10) const float GAIN = 1;
layout(constant_id = 11) const float CLAMP = 0;    // 0: none
#define OWN 12              // a kernel's own constants begin here
