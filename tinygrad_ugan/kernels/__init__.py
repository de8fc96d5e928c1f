"""Vector kernels for networks: plain arrays in, plain arrays out.

From below:

- `target` describes the machine, `emitter` writes a kernel for it in LLVM IR, `jit_cache` compiles
  that to machine code and keeps it on disk, `kernel` binds its name and arguments;
- `vecmath` and `activations` are elementary functions of vectors, and so are `powers`,
  `trigonometry` and `hyperbolic`, which need the digits of `extra_precision`; `ufunc_emitter` is an
  emitter that has them by NumPy's names; `row_quads` handles four rows at a time; the kernels are
  `products` (matrix products), `narrow` (layers with few inputs or outputs), `one_hidden_layer`,
  `losses`, `parameters` (optimiser steps, copies) and `philox` (normal random numbers);
- `program` builds a table of kernel calls, `executor` runs it, `threads` share the work, and
  `addresses` checks every array before compiled code sees its address;
- `network` lays a network out in a program, `network_pass` writes its forward and backward pass,
  `tangents` their derivative along a direction of all inputs (JVP); `network_programs` are programs
  of one pass each, `adam` is one optimiser step;
- `sweep` describes an unrolled gradient, `sweep_program` runs all of it as one program, made of
  phases over rows (`sweep_rows`) and over parameters (`sweep_parameters`) on arrays laid out in
  `sweep_memory`; `ascent_program` is the discriminator's own gradient;
- `buffer_pool` and `program_cache` keep memory and programs for reuse, `fork_safety` makes locks
  and threads survive a fork, and `blas_threads` keeps NumPy's products from waking BLAS's threads.

`reference` specifies every kernel in plain NumPy, and `plain` runs a program by these functions,
compiled by numba: an oracle for tests. Numba also compiles `pairwise_l1` and, by `scalar_ufunc`,
the user's own functions of numbers.

Nothing is loaded before it is used: importing LLVM takes a while.
"""
