"""Pictures of digits become MNIST's 28x28 pixels, whatever their size and colours."""

import numpy as np
import pytest

Image = pytest.importorskip("PIL.Image", reason="needs the extra fastmlp[image]")
from PIL import ImageDraw  # noqa: E402

from fastmlp.datasets.pictures import BOX, SIDE, read_digit  # noqa: E402


def seven(width, height, mode="L", ink=0, paper=255):
    """A picture of a seven, its pen a tenth as wide as the paper."""
    image = Image.new(mode, (width, height), paper)
    points = [(0.25 * width, 0.2 * height), (0.7 * width, 0.2 * height), (0.4 * width, 0.85 * height)]
    ImageDraw.Draw(image).line(points, fill=ink, width=max(1, width // 10))
    return image


@pytest.fixture
def read(tmp_path):
    def read(image):
        path = tmp_path / "digit.png"
        image.save(path)
        return read_digit(path)

    return read


def box(pixels):
    rows, columns = np.nonzero(pixels.reshape(SIDE, SIDE))
    return int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1


@pytest.mark.parametrize("size", [(28, 28), (29, 31), (100, 60), (60, 100), (400, 400)])
def test_a_picture_and_its_negative_give_the_same_pixels(read, size):
    light = seven(*size)
    dark = Image.eval(light, lambda level: 255 - level)
    assert read(light).tobytes() == read(dark).tobytes()


@pytest.mark.parametrize("size", [(10, 10), (28, 28), (100, 60), (60, 100), (400, 400)])
def test_the_ink_fills_the_box_around_the_middle(read, size):
    pixels = read(seven(*size))
    assert pixels.dtype == np.uint8 and pixels.shape == (SIDE * SIDE,)
    assert max(box(pixels)) == BOX and pixels.max() == 255
    ink = pixels.reshape(SIDE, SIDE).astype(float)
    middle = [(ink.sum(axis=1 - axis) @ (np.arange(SIDE) + 0.5)) / ink.sum() for axis in (0, 1)]
    np.testing.assert_allclose(middle, SIDE / 2 + 0.5, atol=0.5)  # as in MNIST, whose digits lie half a pixel low


def test_a_digit_as_in_mnist_is_moved_and_not_otherwise_changed(read):
    from fastmlp.datasets import digits

    for image in digits(20, seed=5)[0].reshape(-1, SIDE, SIDE):
        result = read(Image.fromarray(image)).reshape(SIDE, SIDE)
        moved = [np.roll(image, (down, right), (0, 1)) for down in (-1, 0, 1) for right in (-1, 0, 1)]
        difference = min(np.abs(result - m.astype(float)).max() for m in moved)
        assert difference <= 255 - image.max() + 1  # its contrast may be stretched


def test_position_on_the_paper_does_not_matter(read):
    digit, corner = seven(60, 60), Image.new("L", (200, 120), 255)
    corner.paste(digit, (130, 5))
    assert read(digit).tobytes() == read(corner).tobytes()


@pytest.mark.parametrize("ink, paper", [((0, 0, 0), (255, 255, 255)), ((255, 255, 255), (0, 0, 0))])
def test_transparent_paper_colour_and_palette_read_as_plain_grey(read, ink, paper):
    plain = read(seven(90, 90))
    transparent = seven(90, 90, "RGBA", (*ink, 255), (*ink, 0))
    assert read(transparent).tobytes() == plain.tobytes()
    assert read(seven(90, 90, "RGB", ink, paper)).tobytes() == plain.tobytes()
    assert read(seven(90, 90, "RGB", ink, paper).convert("P")).tobytes() == plain.tobytes()


def test_sixteen_bits_a_pixel(read):
    deep = Image.fromarray(np.asarray(seven(90, 90)).astype(np.uint16) * 257)
    assert read(deep).tobytes() == read(seven(90, 90)).tobytes()


def test_grey_noisy_paper_is_not_ink(read):
    rng = np.random.RandomState(0)
    noise = rng.randint(-4, 5, (80, 80))
    noisy = np.asarray(seven(80, 80, ink=40, paper=180)).astype(int) + noise
    assert box(read(Image.fromarray(noisy.astype(np.uint8)))) == box(read(seven(80, 80)))


def test_a_blank_picture_is_refused(read):
    with pytest.raises(ValueError, match="digit.png: expected a digit on plain paper"):
        read(Image.new("L", (30, 30), 200))


@pytest.mark.parametrize("damage", ["not a picture", "cut short", "empty"])
def test_files_that_are_no_picture_are_refused(tmp_path, damage):
    path = tmp_path / "digit.png"
    seven(50, 50).save(path)
    content = {"not a picture": b"seven\n", "cut short": path.read_bytes()[:-40], "empty": b""}[damage]
    path.write_bytes(content)
    with pytest.raises(ValueError, match="digit.png: expected a picture"):
        read_digit(path)
