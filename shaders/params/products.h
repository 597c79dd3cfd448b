#include "base.h"
#define PRODUCTS_MOST 5
WEFT_PARAMS(products) {
    u32 first;              // line of the table: the first product of this dispatch
    u32 begin;              // y begins at this element of it all
    u32 end[PRODUCTS_MOST]; // the workgroup after each product's last
    f32 a[4], b[4];         // parameters of what is done before, and its derivative's, and behind
} WEFT_PARAMS_END;
