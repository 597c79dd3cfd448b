// SPDX-License-Identifier: MIT
#include "base/threads.h"
#include <unistd.h>

static int threads_wanted(int threads)
{
    const long cores = threads ? threads : sysconf(_SC_NPROCESSORS_ONLN);
    return cores < 1 ? 1 : cores > WEFT_MAX_THREADS ? WEFT_MAX_THREADS : (int) cores;
}

// Several pieces per thread, because turns differ in cost.
static int64_t piece_size(int threads, int64_t count, int64_t least)
{
    const int64_t piece = (count + 8LL * threads - 1) / (8LL * threads);
    return piece < least ? least : piece;
}

#ifdef _OPENMP
#include <omp.h>
#include <stdatomic.h>

struct weft_pool { int threads; };

// Each thread begins with a part of its own, from loop to loop the same, so that it finds in its caches what it left there; then it helps others.
typedef struct loop {
    void (*work)(void *, int64_t, int64_t);
    void *user;
    int64_t count, piece, pieces;
    int threads;
    struct { _Alignas(64) _Atomic int64_t taken; } part[WEFT_MAX_THREADS];
} loop;

static void take(loop *l, int part)
{
    const int64_t first = l->pieces * part / l->threads, past = l->pieces * (part + 1) / l->threads;
    for (int64_t i; (i = first + atomic_fetch_add(&l->part[part].taken, 1)) < past;)
        l->work(l->user, i * l->piece, i + 1 < l->pieces ? (i + 1) * l->piece : l->count);
}

weft_pool *weft_pool_create(weft_context *ctx, int threads)
{
    weft_pool *p = weft_new(ctx, sizeof *p);
    if (p) p->threads = threads_wanted(threads);
    return p;
}

void weft_pool_destroy(weft_context *ctx, weft_pool *p) { weft_delete(ctx, p); }
int weft_pool_threads(const weft_pool *p) { return p->threads; }

void weft_parallel(weft_pool *p, int64_t count, int64_t least, void (*work)(void *, int64_t, int64_t), void *user)
{
    const int64_t piece = piece_size(p->threads, count, least);
    if (count <= 0) return;
    if (p->threads == 1 || piece >= count) {
        work(user, 0, count);
        return;
    }
    loop l = { work, user, count, piece, (count + piece - 1) / piece, .threads = p->threads };
    for (int t = 0; t < p->threads; t++) atomic_init(&l.part[t].taken, 0);
#pragma omp parallel num_threads(p->threads)
    {
        const int own = omp_get_thread_num();
        for (int t = 0; t < p->threads; t++) take(&l, (own + t) % p->threads);
    }
}

int weft_pool_adopt(const weft_pool *p)
{
    const int before = omp_get_max_threads();
    omp_set_num_threads(p->threads);
    return before;
}
void weft_pool_restore(int before) { omp_set_num_threads(before); }

#else
#include <pthread.h>
#include <stdatomic.h>

struct weft_pool {
    int helpers; // threads beside the caller
    pthread_t thread[WEFT_MAX_THREADS];
    pthread_mutex_t one_loop, lock;
    pthread_cond_t start, done;
    unsigned turn; // counts loops, so that a helper sees a new one
    int busy;
    bool quit;
    void (*work)(void *, int64_t, int64_t);
    void *user;
    int64_t count, piece;
    _Atomic int64_t next;
};

static void take_pieces(weft_pool *p)
{
    for (;;) {
        int64_t begin = atomic_fetch_add(&p->next, p->piece);
        if (begin >= p->count) return;
        p->work(p->user, begin, begin + p->piece < p->count ? begin + p->piece : p->count);
    }
}

static void *helper(void *arg)
{
    weft_pool *p = arg;
    unsigned seen = 0;
    pthread_mutex_lock(&p->lock);
    for (;;) {
        while (p->turn == seen && !p->quit) pthread_cond_wait(&p->start, &p->lock);
        if (p->quit) break;
        seen = p->turn;
        pthread_mutex_unlock(&p->lock);
        take_pieces(p);
        pthread_mutex_lock(&p->lock);
        if (--p->busy == 0) pthread_cond_signal(&p->done);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

weft_pool *weft_pool_create(weft_context *ctx, int threads)
{
    weft_pool *p = weft_new(ctx, sizeof *p);
    if (!p) return NULL;
    const int wanted = threads_wanted(threads);
    pthread_mutex_init(&p->one_loop, NULL);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->start, NULL);
    pthread_cond_init(&p->done, NULL);
    for (; p->helpers < wanted - 1; p->helpers++)
        if (pthread_create(&p->thread[p->helpers], NULL, helper, p)) break; // fewer threads are only slower
    return p;
}

void weft_pool_destroy(weft_context *ctx, weft_pool *p)
{
    if (!p) return;
    pthread_mutex_lock(&p->lock);
    p->quit = true;
    pthread_cond_broadcast(&p->start);
    pthread_mutex_unlock(&p->lock);
    for (int i = 0; i < p->helpers; i++) pthread_join(p->thread[i], NULL);
    pthread_cond_destroy(&p->done);
    pthread_cond_destroy(&p->start);
    pthread_mutex_destroy(&p->lock);
    pthread_mutex_destroy(&p->one_loop);
    weft_delete(ctx, p);
}

int weft_pool_threads(const weft_pool *p) { return p->helpers + 1; }

void weft_parallel(weft_pool *p, int64_t count, int64_t least, void (*work)(void *, int64_t, int64_t), void *user)
{
    const int64_t piece = piece_size(p->helpers + 1, count, least);
    if (count <= 0) return;
    if (!p->helpers || piece >= count) {
        work(user, 0, count);
        return;
    }
    pthread_mutex_lock(&p->one_loop);
    pthread_mutex_lock(&p->lock);
    p->work = work, p->user = user, p->count = count, p->piece = piece;
    atomic_store(&p->next, 0);
    p->busy = p->helpers;
    p->turn++;
    pthread_cond_broadcast(&p->start);
    pthread_mutex_unlock(&p->lock);
    take_pieces(p);
    pthread_mutex_lock(&p->lock);
    while (p->busy) pthread_cond_wait(&p->done, &p->lock);
    pthread_mutex_unlock(&p->lock);
    pthread_mutex_unlock(&p->one_loop);
}

int weft_pool_adopt(const weft_pool *p) { return p->helpers; }
void weft_pool_restore(int before) { (void) before; }
#endif
