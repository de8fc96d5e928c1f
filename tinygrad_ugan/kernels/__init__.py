"""Vector kernels for networks: plain arrays in, plain arrays out.

From below:

- `target` is the machine, `emitter` writes a kernel for it in LLVM IR, `objects` turns that into
  machine code and keeps it on disk, `kernel` gives it a name and arguments;
- `vecmath` and `activations` are elementary functions of vectors, `strips` sums over rows;
  `products`, `rows`, `lone`, `moving`, `losses`, `parameters` and `randoms` are the kernels;
- `executor` runs programs of kernel calls, `threads` help it, `program` is how one is written;
- `network` is a network in a program, `network_pass` its passes, and `rates` their derivatives as
  all of it moves; `passes` are programs of one pass each, and `sweep_program` is the whole unrolled
  gradient, made of phases over rows and over parameters (`sweep_rows`, `sweep_parameters`);
  `ascent_program` is the discriminator's own gradient;
- `noise` draws normal numbers, `shelf` keeps memory and `idle` programs to be used again.

What every kernel does stands in `statements`, in plain NumPy. Where a machine has none of the
vector instructions that kernels are emitted for, `plain` runs these in their place, compiled by
numba.

Nothing is loaded before it is used: LLVM takes a while.
"""
