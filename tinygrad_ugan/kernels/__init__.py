"""Vector kernels for networks: plain arrays in, plain arrays out.

From below: `target` is the machine, `emitter` writes a kernel for it in LLVM IR, `objects` turns that
into machine code and keeps it on disk; `vecmath` and `activations` are elementary functions, `tile`
the register tile of a matrix product.

What every kernel does stands in `statements`, in plain NumPy. Where a machine has none of the vector
instructions that kernels are emitted for, `plain` runs these in their place, compiled by numba.
"""
