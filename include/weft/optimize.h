// SPDX-License-Identifier: MIT
// Optimisation: an entry whose output is a loss becomes a model that does one step of gradient descent each time it runs.
#ifndef WEFT_OPTIMIZE_H
#define WEFT_OPTIMIZE_H

#include <weft/model.h>

#ifdef __cplusplus
extern "C" {
#endif

// What changes is state: it stays on the device from run to run, is read with weft_session_get_state and set with
// weft_session_set_state; weft_session_repeat does many steps without the host. Nothing else is needed to stop, save and resume:
// all states set as they were, the next step is the one that would have come.
//
//     forward, loss, backward:   g = d loss / d p                      p: every variable, in f32
//     clipping, where asked for: g = g min(1, clip_norm / |g|)         |g| over all variables together, as torch's clip_grad_norm_
//     update:                    p = p - rate[step] * direction(g)     rows `adam` and `sgd` say it in full
//     normalising, where asked:  p = (p - mean(p)) / sqrt(mean((p - mean(p))^2))
//
// Loss scaling, for sessions that store activations in f16, whose least normal number is 6e-5, when the mean of a picture's squared errors
// gives gradients of 1e-5 and less: everything on the way back is multiplied with a scale, and gradients are divided by it in f32 where
// they arrive. If one comes as infinity or NaN, that step changes no variable and halves the scale; 200 good steps in a row double it, up to
// 2^24. Powers of two leave f32 as it is. (Micikevicius et al., 2018, Mixed Precision Training, section 3.2.)
//
// Adam: Kingma and Ba, 2015, Adam: A Method for Stochastic Optimization. Decoupled decay: Loshchilov and Hutter, 2019. Momentum:
// Sutskever et al., 2013, On the importance of initialization and momentum in deep learning, in PyTorch's form. Normalised noise:
// Karras et al., 2020, Analyzing and Improving the Image Quality of StyleGAN, appendix D.
//
// There is no L-BFGS. Its line search evaluates the loss as many times as the values found on the way demand, and each step waits
// for that decision; a step here is recorded once and replayed, on a GPU without the host in between, so that every step
// must be the same work. With a fixed step length instead of the search it loses the convergence it is chosen for.
typedef enum weft_optimizer {
    WEFT_ADAM,
    WEFT_SGD,
} weft_optimizer;

typedef struct weft_step_variable {
    const char *name;  // of an input of the entry, or of a weight that it uses; f32
    const void *init;  // packed f32, copied; NULL: zeros for an input, its own value for a weight
    double rate_scale; // of the learning rate; 0: 1
    int normalize;     // after each update to mean 0 and mean square 1: noise maps
} weft_step_variable;

typedef struct weft_step_table { // an input that has another value in every step
    const char *input;
    const void *data; // [rows, shape of the input] in its type, copied
    int64_t rows;     // 0: as many as steps. Past the last row, the last one stays
} weft_step_table;

typedef struct weft_step_params {
    int entry;
    const weft_port_shape *shapes; // of inputs, as for weft_model_grad
    int shape_count;
    const char *loss;              // an output of one element; NULL: "loss"
    const weft_step_variable *variables;
    int variable_count;
    weft_optimizer optimizer;
    double beta1, beta2, eps; // of Adam; 0: 0.9, 0.999 and 1e-8; below 0: 0
    double momentum;          // of SGD
    int nesterov;
    double weight_decay;
    int decoupled;            // Adam: decay apart from the gradient (AdamW)
    double clip_norm;         // 0: gradients are not clipped
    double loss_scale;        // above 0: what loss scaling begins with; 0: none
    int64_t steps;            // length of `rates` and of the log; more steps may be done
    const float *rates;       // [steps], the learning rate as data: see weft_schedule_*. Past the last, the last one stays
    double rate;              // of all steps, where `rates` is NULL
    const weft_step_table *tables;
    int table_count;
    const char *const *log;   // outputs of one element to record beside the loss
    int log_count;
    const char *const *outputs; // to keep beside the loss: outputs of the entry, or "d.<variable>" for a gradient before it is clipped
    int output_count;
} weft_step_params;

// Makes the model, with one entry, "main", for the shapes given. What `m` holds is shared; `m` may be destroyed.
//   inputs   those of the entry that are neither variables nor in a table
//   outputs  the loss, then those of `outputs`: as they are before the update
//   states   "<variable>"; "<variable>.m", and with Adam "<variable>.v"; "step" [1], f32: how many are done;
//            with loss scaling "loss_scale" [1], "loss_scale.good" [1], how many steps in a row were good, and "step.taken" [1], how many
//            were not left out, which is what Adam counts;
//            "log" [steps, 1 + log_count]: row i holds the loss and the others as they were before update i (from 0);
//            and the states of the entry, if it has any
// Errors: WEFT_ERR_ARGUMENT, WEFT_ERR_UNSUPPORTED (the text names the node that has no gradient), WEFT_ERR_MEMORY.
WEFT_API weft_result weft_model_step(const weft_model *m, const weft_step_params *params, weft_model **out);

// --- Schedules: `steps` numbers. t is the step divided by `steps`, so that it stays below 1. ----------------------

WEFT_API void weft_schedule_constant(float *rates, int64_t steps, double rate);
// Cosine from `first` to `last` over the steps (Loshchilov and Hutter, 2017, SGDR): both are reached.
WEFT_API void weft_schedule_cosine(float *rates, int64_t steps, double first, double last);
// Geometric from `first` to `last`, both above 0 and both reached.
WEFT_API void weft_schedule_exponential(float *rates, int64_t steps, double first, double last);
// StyleGAN2's projector (Karras et al., 2020): rate * (0.5 - 0.5 cos(pi min(1, (1 - t) / down))) * min(1, t / up). `up` and `down` are
// parts of the whole; its own: rate 0.1, up 0.05, down 0.25. The first step of it has rate 0.
WEFT_API void weft_schedule_ramps(float *rates, int64_t steps, double rate, double up, double down);
// strength * max(0, 1 - t / length)^2: the strength of that projector's noise on the latent (its own: 0.05 times the deviation of w, length 0.75).
WEFT_API void weft_schedule_fade(float *strengths, int64_t steps, double strength, double length);

#ifdef __cplusplus
}
#endif
#endif // WEFT_OPTIMIZE_H
