"""Folders of images, read by Pillow."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tinygrad_ugan.errors import ArgumentError, printable
from tinygrad_ugan.typing import Array

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
_MODES = {"1": "L", "L": "L", "RGB": "RGB", "P": "RGB"}  # Pillow's, and what is as good


class Images(NamedTuple):
    """Images of a folder.

    Attributes
    ----------
    pixels : array of float32, shape (n, height, width, channels)
        From 0 to 1; one channel or three.
    paths : list of Path
        Their files.
    """

    pixels: Array
    paths: list[Path]


def read_images(folder: Path, size: Sequence[int] = (), grey: bool | None = None) -> Images:
    """Read the images in a folder and those below it, in the order of their names.

    A file that cannot be read is named in a warning and skipped.

    Parameters
    ----------
    folder : Path
    size : sequence of int
        Height and width that every image is resized to; all must be of one size if not given.
    grey : bool, optional
        Grey (ITU-R 601 luma) or colour (RGB); as they are if not given.

    Returns
    -------
    Images

    Raises
    ------
    ArgumentError
        If there is no image, or one of another kind than 8 bits, grey or RGB, still and opaque; or
        if sizes or colours differ.
    """
    from PIL import Image

    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
    read = [(path, image) for path in paths if (image := _read(path)) is not None]
    if not read:
        given = f"{folder}, in which none of {len(paths)} can be read" if paths else f"{folder}"
        raise ArgumentError("path", given, f"a folder of images: {', '.join(SUFFIXES)}")
    if grey is not None:
        read = [(path, image.convert("L" if grey else "RGB")) for path, image in read]
    if size:
        shape, smooth = (size[1], size[0]), Image.Resampling.BICUBIC
        read = [(path, image.resize(shape, smooth)) for path, image in read]
    _check_alike(read)
    pixels = np.stack([np.asarray(image, np.float32) / 255 for _, image in read])
    return Images(pixels.reshape(*pixels.shape[:3], -1), [path for path, _ in read])


def _read(path: Path) -> Image.Image | None:
    """The image, or None if the file is broken."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            kind = _kind(image)
            if not kind:
                return image.convert(_MODES[image.mode])
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        message = f"{path} is skipped: {error}"
        warnings.warn(printable(message), stacklevel=2)
        return None
    expected = "images of 8 bits, grey or RGB, still and without transparency"
    raise ArgumentError("path", f"{path}, {kind}", expected, "convert it, or take it away")


def _kind(image: Image.Image) -> str:
    """The reason why an image cannot be taken as it is; "" if there is none."""
    if getattr(image, "n_frames", 1) > 1:
        return "an animation or a stack of several images"
    if image.mode not in _MODES:
        return f"of Pillow's mode {image.mode!r}"
    return "with transparency" if "transparency" in image.info else ""


def _check_alike(read: Sequence[tuple[Path, Image.Image]]) -> None:
    first, pattern = read[0]
    for path, image in read:
        if image.size != pattern.size:
            given = f"{first} of {_size(pattern)} and {path} of {_size(image)}"
            hint = "size=(height, width) resizes them"
            raise ArgumentError("size", given, "images of one size", hint)
        if image.mode != pattern.mode:
            given = f"{first} of mode {pattern.mode!r} and {path} of mode {image.mode!r}"
            hint = "grey=True or grey=False makes them so"
            raise ArgumentError("grey", given, "images all grey or all in colour", hint)


def _size(image: Image.Image) -> str:
    return f"{image.height} x {image.width}"
