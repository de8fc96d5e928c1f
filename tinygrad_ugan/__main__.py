"""``python -m tinygrad_ugan`` is the same as ``ugan``."""

from tinygrad_ugan.cli import main

if __name__ == "__main__":
    main()
