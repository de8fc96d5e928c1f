"""The commands of ``ugan``: each a dataclass, whose fields are its arguments, with a `run`."""
