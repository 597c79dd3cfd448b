// SPDX-License-Identifier: MIT
// CLIP, pictures and sentences as vectors of one space. Radford et al., Learning Transferable Visual Models From Natural
// Language Supervision, 2021. The picture's network is a vision transformer or a ResNet that ends with attention; depths,
// widths and sizes are the checkpoint's. Names: OpenAI's, and for the vision transformer those of Hugging Face's models.
#include "import/net.h"
#include <stdio.h>

enum { HEAD = 64 }; // numbers of a query: every published width is a multiple

static weft_value matrix(net *n, const char *name, weft_value x) // x w, for a weight that lies [in, out]
{
    const weft_value w = weight(n, name, (weft_shape) WEFT_SHAPE(length(n, name, 0), length(n, name, 1)));
    weft_build_name(n->b, name);
    return OP2(n, "matmul", x, w);
}

static weft_value table(net *n, const char *name) { return weight(n, name, (weft_shape) WEFT_SHAPE(length(n, name, 0), length(n, name, 1))); }

static weft_value dense(net *n, const char *name, weft_value x) // NAME.weight [out, in], and NAME.bias if there is one
{
    const char *w = path(n, "%s.weight", name), *b = path(n, "%s.bias", name);
    const int64_t out = length(n, w, 0), in = length(n, w, 1);
    if (has(n, b)) return linear(n, name, x, (int) in, (int) out);
    weft_build_name(n->b, name);
    return OP2(n, "linear", x, weight(n, w, (weft_shape) WEFT_SHAPE(out, in)));
}

static weft_value layer_norm(net *n, const char *name, weft_value x)
{
    const weft_shape s = WEFT_SHAPE(length(n, path(n, "%s.weight", name), 0));
    const weft_value w = weight(n, path(n, "%s.weight", name), s), b = weight(n, path(n, "%s.bias", name), s);
    weft_build_name(n->b, name);
    return op(n, "layer_norm", (weft_value[]) { x, w, b }, 3, NULL, 0);
}

// --- Attention and the transformer, whose values are [n, places, width]. ------------------------------------------------

static weft_value heads(net *n, weft_value x, int64_t width)
{
    x = OPA(n, "reshape", x, WEFT_NUM("shape", 0, 0, (double) (width / HEAD), HEAD));
    return OPA(n, "transpose", x, WEFT_NUM("perm", 0, 2, 1, 3));
}

static weft_value attend(net *n, const char *name, const weft_value qkv[3], int64_t width, bool causal)
{
    if (width % HEAD) net_fail(n, WEFT_ERR_UNSUPPORTED, "'%s' is %lld wide, which is no multiple of %d", name, (long long) width, HEAD);
    weft_build_name(n->b, name);
    const weft_value in[3] = { heads(n, qkv[0], width), heads(n, qkv[1], width), heads(n, qkv[2], width) };
    const weft_value y = op(n, "sdpa", in, 3, (const weft_attr_arg[]) { WEFT_NUM("causal", causal) }, 1);
    return OPA(n, "reshape", OPA(n, "transpose", y, WEFT_NUM("perm", 0, 2, 1, 3)), WEFT_NUM("shape", 0, 0, (double) width));
}

typedef struct naming { const char *block, *norm1, *norm2, *out, *fc1, *fc2; } naming;
static const naming openai = { "resblocks", "ln_1", "ln_2", "attn.out_proj", "mlp.c_fc", "mlp.c_proj" };
static const naming hugging = { "layers", "layer_norm1", "layer_norm2", "self_attn.out_proj", "mlp.fc1", "mlp.fc2" };

// The three projections of a block: OpenAI's in one matrix, Hugging Face's in one each.
static void project(net *n, const char *block, weft_value x, int64_t width, bool joint, weft_value qkv[3])
{
    static const char letters[] = "qkv";
    if (!joint) {
        for (int i = 0; i < 3; i++) qkv[i] = dense(n, path(n, "%s.self_attn.%c_proj", block, letters[i]), x);
        return;
    }
    const weft_value w = weight(n, path(n, "%s.attn.in_proj_weight", block), (weft_shape) WEFT_SHAPE(3 * width, width));
    const weft_value b = weight(n, path(n, "%s.attn.in_proj_bias", block), (weft_shape) WEFT_SHAPE(3 * width));
    weft_build_name(n->b, path(n, "%s.attn.in_proj", block));
    const weft_value all = op(n, "linear", (weft_value[]) { x, w, b }, 3, NULL, 0);
    const weft_value first = OPA(n, "split", all, WEFT_NUM("axis", 2), WEFT_NUM("parts", 3));
    for (int i = 0; i < 3; i++) qkv[i] = n->failed ? WEFT_NONE : first + i;
}

static weft_value transformer(net *n, const char *name, weft_value x, bool causal)
{
    const bool joint = has(n, path(n, "%s.resblocks.0.ln_1.weight", name));
    const naming *m = joint ? &openai : &hugging;
    for (int i = 0; !n->failed; i++) {
        char block[NET_PATH];
        snprintf(block, sizeof block, "%s.%s.%d", name, m->block, i); // a block makes many paths
        if (i && !has(n, path(n, "%s.%s.weight", block, m->norm1))) break;
        const int64_t width = length(n, path(n, "%s.%s.weight", block, m->norm1), 0);
        weft_value qkv[3];
        project(n, block, layer_norm(n, path(n, "%s.%s", block, m->norm1), x), width, joint, qkv);
        x = add(n, x, dense(n, path(n, "%s.%s", block, m->out), attend(n, path(n, "%s.attention", block), qkv, width, causal)));
        weft_value y = dense(n, path(n, "%s.%s", block, m->fc1), layer_norm(n, path(n, "%s.%s", block, m->norm2), x));
        x = add(n, x, dense(n, path(n, "%s.%s", block, m->fc2), OP1(n, "quick_gelu", y)));
    }
    return x;
}

// --- Sentences. -----------------------------------------------------------------------------------------------------

// What the largest token's place holds, the first of equals: the end of the text. Numbers of tokens are compared as they
// are, because half precision could not tell them apart.
static weft_value at_end(net *n, weft_value x, weft_value tokens, int64_t places)
{
    weft_build_name(n->b, "end_of_text");
    const weft_value each = OPA(n, "unsqueeze", tokens, WEFT_NUM("axes", 2)), all = OPA(n, "unsqueeze", tokens, WEFT_NUM("axes", 1));
    const weft_value passed = OPA(n, "reduce_max", OP2(n, "greater", all, each), WEFT_NUM("axes", 2)); // by another
    const weft_value end = OPA(n, "argmin", passed, WEFT_NUM("axes", 1), WEFT_NUM("keep", 1));           // [n, 1]
    const weft_value pick = OPA(n, "one_hot", end, WEFT_NUM("depth", (double) places));                  // [n, 1, places]
    return OPA(n, "squeeze", OP2(n, "matmul", pick, x), WEFT_NUM("axes", 1));
}

static void build_text(net *n)
{
    const bool plain = has(n, "token_embedding.weight");
    const char *words = plain ? "token_embedding.weight" : "text_model.embeddings.token_embedding.weight";
    const char *order = plain ? "positional_embedding" : "text_model.embeddings.position_embedding.weight";
    static const char *const not_needed[] = { "logit_scale", "input_resolution", "context_length", "vocab_size", "text_model.embeddings.position_ids" };
    for (size_t i = 0; i < sizeof not_needed / sizeof *not_needed; i++) ignore(n, not_needed[i]);
    if (!has(n, words)) return; // the picture's half alone
    const int64_t places = length(n, order, 0);
    entry(n, "text");
    const weft_value tokens = n->failed ? WEFT_NONE : weft_build_input(n->b, "tokens", WEFT_I32, (weft_shape) { 2, { dim(n, "n", 1, 1), places } });
    weft_build_name(n->b, words);
    weft_value x = add(n, OP2(n, "embedding", table(n, words), tokens), table(n, order));
    x = transformer(n, plain ? "transformer" : "text_model.encoder", x, true);
    x = at_end(n, layer_norm(n, plain ? "ln_final" : "text_model.final_layer_norm", x), tokens, places);
    output(n, "embedding", plain ? matrix(n, "text_projection", x) : dense(n, "text_projection", x));
}

// --- Pictures. ------------------------------------------------------------------------------------------------------

static weft_value picture(net *n, int64_t size)
{
    weft_build_meta(n->b, "image.size", path(n, "%lld", (long long) size));
    entry(n, "image");
    return input(n, "image", dim(n, "n", 1, 1), 3, size, size);
}

// sqrt(count): the side of a square of so many places.
static int64_t side_of(int64_t count)
{
    int64_t side = 1;
    while (side * side < count) side++;
    return side;
}

static void build_vit(net *n)
{
    const bool plain = has(n, "visual.conv1.weight");
    const char *patches = plain ? "visual.conv1" : "vision_model.embeddings.patch_embedding";
    const char *order = plain ? "visual.positional_embedding" : "vision_model.embeddings.position_embedding.weight";
    const char *class = plain ? "visual.class_embedding" : "vision_model.embeddings.class_embedding";
    const int64_t width = length(n, path(n, "%s.weight", patches), 0), patch = length(n, path(n, "%s.weight", patches), 2), places = length(n, order, 0);
    ignore(n, "vision_model.embeddings.position_ids");
    const weft_value image = picture(n, side_of(places - 1) * patch);
    weft_value x = conv(n, patches, image, 3, (int) width, (int) patch, .stride = (int) patch, .valid = true, .no_bias = true);
    x = OPA(n, "transpose", OPA(n, "reshape", x, WEFT_NUM("shape", 0, 0, -1)), WEFT_NUM("perm", 0, 2, 1));
    const weft_value first = OPA(n, "reshape", weight(n, class, (weft_shape) WEFT_SHAPE(width)), WEFT_NUM("shape", 1, 1, (double) width));
    x = cat(n, OP2(n, "expand", first, part(n, x, 1, 0, 1)), x);
    x = layer_norm(n, plain ? "visual.ln_pre" : "vision_model.pre_layrnorm", add(n, x, table(n, order)));
    x = transformer(n, plain ? "visual.transformer" : "vision_model.encoder", x, false);
    x = OPA(n, "squeeze", part(n, x, 1, 0, 1), WEFT_NUM("axes", 1));
    x = layer_norm(n, plain ? "visual.ln_post" : "vision_model.post_layernorm", x);
    output(n, "embedding", plain ? matrix(n, "visual.proj", x) : dense(n, "visual_projection", x));
    build_text(n);
}

static weft_value halved(net *n, weft_value x) { return OPA(n, "avg_pool2d", x, WEFT_NUM("kernel", 2), WEFT_NUM("stride", 2)); }

static weft_value convolution(net *n, const char *name, int i, weft_value x, int stride) // NAMEconvI and NAMEbnI
{
    const char *w = path(n, "%sconv%d.weight", name, i);
    const int out = (int) length(n, w, 0), in = (int) length(n, w, 1), kernel = (int) length(n, w, 2);
    x = conv(n, path(n, "%sconv%d", name, i), x, in, out, kernel, .stride = stride, .no_bias = true);
    return batch_norm(n, path(n, "%sbn%d", name, i), x, out, false);
}

static weft_value bottleneck(net *n, const char *name, weft_value x, bool halve)
{
    const char *down = path(n, "%sdownsample.0", name), *w = path(n, "%s.weight", down);
    weft_value y = relu(n, convolution(n, name, 1, x, 1)), skip = x;
    y = relu(n, convolution(n, name, 2, y, 1));
    y = convolution(n, name, 3, halve ? halved(n, y) : y, 1);
    if (has(n, w)) {
        const int out = (int) length(n, w, 0);
        skip = conv(n, down, halve ? halved(n, x) : x, (int) length(n, w, 1), out, 1, .no_bias = true);
        skip = batch_norm(n, path(n, "%sdownsample.1", name), skip, out, false);
    }
    return relu(n, add(n, y, skip));
}

// The mean of all places asks all places and itself.
static weft_value attention_pool(net *n, weft_value x)
{
    static const char order[] = "visual.attnpool.positional_embedding";
    const int64_t width = length(n, order, 1);
    x = OPA(n, "transpose", OPA(n, "reshape", x, WEFT_NUM("shape", 0, 0, -1)), WEFT_NUM("perm", 0, 2, 1));
    x = add(n, cat(n, OPA(n, "mean", x, WEFT_NUM("axes", 1), WEFT_NUM("keep", 1)), x), table(n, order));
    const weft_value qkv[3] = {
        dense(n, "visual.attnpool.q_proj", part(n, x, 1, 0, 1)), dense(n, "visual.attnpool.k_proj", x), dense(n, "visual.attnpool.v_proj", x)
    };
    const weft_value y = OPA(n, "squeeze", attend(n, "visual.attnpool", qkv, width, false), WEFT_NUM("axes", 1));
    return dense(n, "visual.attnpool.c_proj", y);
}

static void build_resnet(net *n)
{
    enum { LAYERS = 4, SHRINK = 32 };
    weft_value x = picture(n, side_of(length(n, "visual.attnpool.positional_embedding", 0) - 1) * SHRINK);
    for (int i = 1; i <= 3; i++) x = relu(n, convolution(n, "visual.", i, x, i == 1 ? 2 : 1));
    x = halved(n, x);
    for (int layer = 1; layer <= LAYERS; layer++)
        for (int k = 0; !n->failed && (!k || has(n, path(n, "visual.layer%d.%d.conv1.weight", layer, k))); k++)
            x = bottleneck(n, path(n, "visual.layer%d.%d.", layer, k), x, layer > 1 && !k);
    output(n, "embedding", attention_pool(n, x));
    build_text(n);
}

static const char *const meta[] = {
    "task", "clip", "image.range", "0..1", "image.mean", "0.48145466,0.4578275,0.40821073", "image.std", "0.26862954,0.26130258,0.27577711", NULL
};
const arch arch_clip_vit = {
    .name = "clip-vit-b32", .doc = "CLIP with a vision transformer, of any size (Radford et al. 2021)",
    .probe = "visual.conv1.weight vision_model.embeddings.patch_embedding.weight", .meta = meta, .build = build_vit,
};
const arch arch_clip_resnet = {
    .name = "clip-rn50", .doc = "CLIP with a ResNet, of any size", .probe = "visual.attnpool.positional_embedding", .meta = meta, .build = build_resnet,
};
