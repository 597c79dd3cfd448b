// SPDX-License-Identifier: MIT
#include "losses.h"
#include "dims.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft/session.h>

static int network_index(weft_loss_kind kind) { return kind >= WEFT_LOSS_PERCEPTUAL && kind <= WEFT_LOSS_CLIP ? (int) kind - WEFT_LOSS_PERCEPTUAL : -1; }

static const char *network_path(const loss_options *o, int network)
{
    const char *const paths[NETWORKS_MOST] = { o->perceptual, o->style, o->lpips, o->identity, o->clip };
    return paths[network];
}

// Says which file is missing, and how it is made.
static int no_network(const call *c, weft_loss_kind kind)
{
    static const char *const arch[NETWORKS_MOST] = { "vgg16", "vgg16", "lpips-alex", "arcface-irse50", "clip-vit-b32" };
    const char *name = weft_loss_name(kind), *a = arch[network_index(kind)];
    return usage(c, "the loss %s needs a network: give --%s MODEL. `weft import CHECKPOINT.safetensors --arch %s -o %s.weft` makes one from published weights",
                 name, name, a, a);
}

static int add(const call *c, loss_set *s, weft_loss_kind kind, double weight)
{
    if (s->count == LOSSES_MOST) return usage(c, "more than %d losses", LOSSES_MOST);
    s->losses[s->count++] = (weft_loss) { .kind = kind, .weight = weight };
    return CODE_OK;
}

static int add_named(const call *c, const loss_options *o, loss_set *s, const char *text)
{
    const char *names[WEFT_LOSS_KINDS + 1] = { NULL };
    const size_t length = strcspn(text, "=");
    double weight = 1;
    int kind = 0;
    for (int i = 0; i < WEFT_LOSS_KINDS; i++) names[i] = weft_loss_name((weft_loss_kind) i);
    while (names[kind] && (strlen(names[kind]) != length || memcmp(names[kind], text, length))) kind++;
    if (!names[kind]) {
        char word[32];
        snprintf(word, sizeof word, "%.*s", (int) length, text);
        const char *meant = nearest(word, names);
        return meant ? usage(c, "there is no loss '%s'; did you mean '%s'?", word, meant) : usage(c, "there is no loss '%s'", word);
    }
    if (text[length]) {
        char *end;
        weight = strtod(text + length + 1, &end);
        if (end == text + length + 1 || *end || !isfinite(weight) || weight < 0) return usage(c, "--loss %s: the weight is not a number from 0 on", text);
    }
    if (weight == 0) return CODE_OK;
    if (network_index((weft_loss_kind) kind) >= 0 && !network_path(o, network_index((weft_loss_kind) kind))) return no_network(c, (weft_loss_kind) kind);
    return add(c, s, (weft_loss_kind) kind, weight);
}

static int choose(const call *c, const loss_options *o, loss_set *s)
{
    int code = CODE_OK, network_count = 0;
    for (int i = 0; i < o->losses.count && !code; i++) code = add_named(c, o, s, o->losses.at[i]);
    for (int i = 0; i < NETWORKS_MOST && !code; i++) {
        bool named = false;
        if (!network_path(o, i)) continue;
        for (int k = 0; k < s->count; k++) named = named || network_index(s->losses[k].kind) == i;
        network_count++;
        if (!named) code = add(c, s, (weft_loss_kind) (WEFT_LOSS_PERCEPTUAL + i), 1); // the file says that it is wanted
    }
    if (code || o->losses.count || network_count) return code;
    code = add(c, s, WEFT_LOSS_L1, 0.5);
    s->losses[0].levels = 1;
    return code ? code : add(c, s, WEFT_LOSS_L2, 0.5);
}

static int cut_taps(const call *c, loss_set *s, int which, const char *text)
{
    if (!text) return CODE_OK;
    char *word = s->words[which] = malloc(strlen(text) + 1);
    if (!word) return fail(c, CODE_FAILED, "out of memory");
    strcpy(word, text);
    for (word = strtok(word, ","); word; word = strtok(NULL, ",")) {
        if (s->tap_count[which] == TAPS_MOST) return usage(c, "more than %d taps", TAPS_MOST);
        s->taps[which][s->tap_count[which]++] = word;
    }
    return CODE_OK;
}

// --- What CLIP shall come close to. ------------------------------------------------------------------------------

static int embed_tokens(const call *c, const weft_model *m, weft_device *dev, const array *tokens, loss_set *s)
{
    const int entry = weft_model_find_entry(m, "text");
    const weft_port *in, *out;
    weft_session *session = NULL;
    if (entry < 0 || weft_model_inputs(m, entry, &in) != 1 || in->dtype != WEFT_I32) return usage(c, "--clip-tokens: the model of --clip has no entry `text`; give --clip-target");
    const int64_t count = (int64_t) (tokens->bytes / 4);
    const weft_port_shape shape = { in->name, { 2, { 1, count } } };
    weft_result r = weft_session_create(dev, m, &(weft_session_params) { .entry = entry, .shapes = &shape, .shape_count = 1 }, &session);
    if (r == WEFT_OK) {
        weft_session_outputs(session, &out);
        s->embedding_count = (size_t) out->shape.dim[out->shape.rank - 1];
        s->embedding = calloc(s->embedding_count, sizeof(float));
        r = s->embedding ? weft_session_run(session, &(weft_io) { NULL, tokens->data, tokens->bytes }, 1,
                                            &(weft_io) { NULL, s->embedding, s->embedding_count * sizeof(float) }, 1) : WEFT_ERR_MEMORY;
    }
    weft_session_destroy(&session);
    return r == WEFT_OK ? CODE_OK : fail_input(c, r);
}

static int find_embedding(const call *c, const loss_options *o, weft_device *dev, loss_set *s)
{
    array a;
    if (!o->clip_target && !o->clip_tokens) return CODE_OK;
    if (!o->clip) return usage(c, "--clip-target and --clip-tokens need --clip MODEL");
    if (o->clip_target && o->clip_tokens) return usage(c, "give --clip-target or --clip-tokens, not both");
    int code = npy_read(c, o->clip_target ? o->clip_target : o->clip_tokens, o->clip_target ? WEFT_F32 : WEFT_I32, &a);
    if (code) return code;
    if (o->clip_tokens) {
        code = embed_tokens(c, s->networks[network_index(WEFT_LOSS_CLIP)], dev, &a, s);
        free(a.data);
        return code;
    }
    s->embedding = a.data, s->embedding_count = a.bytes / 4;
    return CODE_OK;
}

int loss_set_make(const call *c, const loss_options *o, weft_device *dev, loss_set *s)
{
    *s = (loss_set) { 0 };
    int code = choose(c, o, s);
    if (!code) code = cut_taps(c, s, 0, o->perceptual_taps);
    if (!code) code = cut_taps(c, s, 1, o->style_taps);
    for (int i = 0; i < NETWORKS_MOST && !code; i++)
        if (network_path(o, i)) code = load_model(c, network_path(o, i), &s->networks[i]);
    if (!code) code = find_embedding(c, o, dev, s);
    for (int i = 0; i < s->count; i++) {
        weft_loss *l = &s->losses[i];
        const int network = network_index(l->kind);
        l->most = o->size;
        if (o->pyramid && l->kind <= WEFT_LOSS_CHARBONNIER) l->levels = o->pyramid;
        if (network >= 0) l->model = s->networks[network];
        if (network == 0 || network == 1) l->taps = s->taps[network], l->tap_count = s->tap_count[network];
        if (l->kind == WEFT_LOSS_CLIP) l->embedding = s->embedding, l->embedding_count = s->embedding_count;
    }
    return code;
}

void loss_set_free(loss_set *s)
{
    for (int i = 0; i < NETWORKS_MOST; i++) weft_model_destroy(&s->networks[i]);
    free(s->words[0]);
    free(s->words[1]);
    free(s->embedding);
    *s = (loss_set) { 0 };
}
