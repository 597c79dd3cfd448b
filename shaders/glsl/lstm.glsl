float sigmoid(float x) { return 1 / (1 + exp(-x)); }
float bounded_tanh(float x) { return tanh(clamp(x, -10.0, 10.0)); } // drivers may give infinity over infinity
uint row_of(uint n, uint step_) { return n * p.gates_n + (p.backwards != 0 ? p.steps - 1 - step_ : step_) * p.gates_t; }
