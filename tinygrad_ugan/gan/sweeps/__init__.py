"""Many runs: a grid of hyperparameters with several seeds, trained in parallel."""
