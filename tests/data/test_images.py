import numpy as np
import pytest
from PIL import Image

from tinygrad_ugan.data.images import read_images
from tinygrad_ugan.errors import ArgumentError

GREY = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
COLOUR = np.stack([GREY, 255 - GREY, GREY // 2], axis=2)


def save(folder, name, pixels, mode=None, **options):
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    image = Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(path, **options)


def test_images_come_in_the_order_of_their_names_from_0_to_1(tmp_path):
    save(tmp_path, "b.png", GREY)
    save(tmp_path, "a.PNG", 255 - GREY)
    save(tmp_path, "sub/c.bmp", GREY // 2)
    (tmp_path / "notes.txt").write_text("no image")
    found, paths = read_images(tmp_path)
    assert [p.name for p in paths] == ["a.PNG", "b.png", "c.bmp"]
    assert found.shape == (3, 3, 4, 1)
    assert found.dtype == np.float32
    expected = np.stack([255 - GREY, GREY, GREY // 2])[..., None]
    np.testing.assert_array_equal(found * 255, expected)


def test_colour_and_grey_are_chosen(tmp_path):
    save(tmp_path, "a.png", COLOUR)
    np.testing.assert_array_equal(read_images(tmp_path).pixels[0] * 255, COLOUR)
    luma = COLOUR @ [0.299, 0.587, 0.114]
    grey = read_images(tmp_path, grey=True).pixels
    assert grey.shape == (1, 3, 4, 1)
    np.testing.assert_allclose(grey[0, :, :, 0] * 255, luma, atol=1)
    save(tmp_path, "b.png", GREY)
    with pytest.raises(ArgumentError, match=r"grey: expected images all grey or .*'RGB' and .*'L'"):
        read_images(tmp_path)
    both = read_images(tmp_path, grey=False).pixels
    np.testing.assert_array_equal(both[1] * 255, np.repeat(GREY[..., None], 3, axis=2))


def test_a_palette_and_black_and_white_are_as_good(tmp_path):
    save(tmp_path, "a.png", COLOUR, "P")
    assert read_images(tmp_path).pixels.shape == (1, 3, 4, 3)
    bits = tmp_path / "bits"
    bits.mkdir()
    Image.fromarray(GREY > 100).save(bits / "a.png")
    np.testing.assert_array_equal(read_images(bits).pixels[0, :, :, 0], GREY > 100)


def test_sizes_differ_or_are_made_alike(tmp_path):
    save(tmp_path, "a.png", GREY)
    save(tmp_path, "b.png", GREY.T.copy())
    with pytest.raises(ArgumentError, match=r"a.png of 3 x 4 and .*b.png of 4 x 3; size=\(height"):
        read_images(tmp_path)
    assert read_images(tmp_path, (8, 6)).pixels.shape == (2, 8, 6, 1)


@pytest.mark.parametrize("content", [b"", b"nonsense", "half"])
def test_a_broken_file_among_good_ones_is_named_and_skipped(content, tmp_path):
    save(tmp_path, "a.png", GREY)
    whole = (tmp_path / "a.png").read_bytes()
    (tmp_path / "b.png").write_bytes(whole[: len(whole) // 2] if content == "half" else content)
    with pytest.warns(UserWarning, match=r"b\.png is skipped"):
        assert len(read_images(tmp_path).paths) == 1
    (tmp_path / "a.png").unlink()
    with (
        pytest.warns(UserWarning, match=r"skipped"),
        pytest.raises(ArgumentError, match=r"none of 1 can be read"),
    ):
        read_images(tmp_path)


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(ArgumentError, match=r"path: expected a folder of images: .bmp"):
        read_images(tmp_path)


@pytest.mark.parametrize(
    ("name", "pixels", "mode", "words"),
    [
        ("a.png", GREY.astype(np.uint16) * 100, None, "mode 'I;16'"),
        ("a.tif", GREY.astype(np.float32), None, "mode 'F'"),
        ("a.jpg", COLOUR, "CMYK", "mode 'CMYK'"),
        ("a.png", COLOUR, "RGBA", "mode 'RGBA'"),
    ],
)
def test_other_kinds_of_image_are_refused(name, pixels, mode, words, tmp_path):
    save(tmp_path, name, pixels, mode)
    with pytest.raises(ArgumentError, match=f"images of 8 bits.*{name}, of Pillow's {words}"):
        read_images(tmp_path)


def test_animations_and_transparency_are_refused(tmp_path):
    frames = [Image.fromarray(x) for x in (GREY, 255 - GREY)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    with pytest.raises(ArgumentError, match=r"a.gif, an animation"):
        read_images(tmp_path)
    (tmp_path / "a.gif").unlink()
    frames[0].save(tmp_path / "a.png", transparency=0)
    with pytest.raises(ArgumentError, match=r"a.png, with transparency"):
        read_images(tmp_path)
