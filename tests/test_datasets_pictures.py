"""Pictures of digits become MNIST's 28x28 pixels, whatever their size, colours, light, and what else is on them."""

import io

import numpy as np
import pytest

Image = pytest.importorskip("PIL.Image", reason="needs the extra fastmlp[image]")
pytest.importorskip("skimage", reason="needs the extra fastmlp[image]")
from PIL import ImageDraw  # noqa: E402

from fastmlp import MLP  # noqa: E402
from fastmlp.datasets import digits  # noqa: E402
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


@pytest.mark.parametrize("full", [1, 255, 65535])
def test_floating_point_levels(tmp_path, read, full):
    levels = np.asarray(seven(90, 90, ink=40, paper=255)).astype(np.float32) * np.float32(full / 255)
    Image.fromarray(levels, "F").save(tmp_path / "digit.tiff")
    assert read_digit(tmp_path / "digit.tiff").tobytes() == read(seven(90, 90, ink=40, paper=255)).tobytes()


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


# Pictures as people make them, of drawn digits; levels from 0 to 255.

PAGE = 280


def plain(digit, rng, paper=235.0, ink=20.0):
    """Dark on a light page."""
    size = (PAGE, PAGE)
    large = Image.fromarray(digit.reshape(SIDE, SIDE)).resize(size, Image.Resampling.BICUBIC)
    share = np.asarray(large, float) / 255
    return paper * (1 - share) + ink * share


def light_across_the_page(digit, rng):
    y, x = np.mgrid[:PAGE, :PAGE] / (PAGE - 1)
    angle = rng.random_sample() * 2 * np.pi
    along = np.cos(angle) * x + np.sin(angle) * y
    paper = 150 + 90 * (along - along.min()) / np.ptp(along)
    return plain(digit, rng, paper, paper / 4)


def frame_of_one_pixel(digit, rng):
    grey = plain(digit, rng)
    grey[[0, -1]] = grey[:, [0, -1]] = 0
    return grey


def table_around_the_page(digit, rng):
    table = rng.normal(70, 6, (PAGE + 60, PAGE + 60))
    table[25 : 25 + PAGE, 35 : 35 + PAGE] = plain(digit, rng)
    return table


def table_at_two_sides(digit, rng):
    grey, width = plain(digit, rng), rng.randint(8, 30)
    grey[-width:], grey[:, :width] = rng.normal(60, 5, (width, PAGE)), rng.normal(60, 5, (PAGE, width))
    return grey


def speck_of_dust(digit, rng):
    grey, (y, x), radius = plain(digit, rng), 25 + 230 * rng.randint(0, 2, 2), rng.randint(3, 7)
    rows, columns = np.mgrid[:PAGE, :PAGE]
    grey[(rows - y) ** 2 + (columns - x) ** 2 <= radius**2] = 30
    return grey


def ruled_lines(digit, rng):
    grey = plain(digit, rng)
    for row in (70, 150, 230):
        grey[row : row + 2] = np.minimum(grey[row : row + 2], 120)
    return grey


def ruled_line_below(digit, rng):
    grey, row = plain(digit, rng), rng.randint(225, 255)
    grey[row : row + 3] = np.minimum(grey[row : row + 3], 90)
    return grey


def noise(digit, rng):
    return plain(digit, rng) + rng.normal(0, 40, (PAGE, PAGE))


def dots(digit, rng):
    chance = rng.random_sample((PAGE, PAGE))
    return np.where(chance < 0.02, 0, np.where(chance > 0.98, 255, plain(digit, rng)))


def small_jpeg(digit, rng):
    file = io.BytesIO()
    Image.fromarray(255 - digit.reshape(SIDE, SIDE)).save(file, "JPEG", quality=75)
    return np.asarray(Image.open(file), float)


KINDS = [
    plain, light_across_the_page, frame_of_one_pixel, table_around_the_page, table_at_two_sides, speck_of_dust, ruled_lines,
    ruled_line_below, noise, dots, small_jpeg,
]  # fmt: skip


def picture(kind, digit, rng):
    return Image.fromarray(np.clip(np.rint(kind(digit, rng)), 0, 255).astype(np.uint8))


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_as_people_make_them_show_the_digit(read, kind):
    rng, likeness = np.random.RandomState(3), []
    for digit in digits(6, seed=8)[0]:
        clean, found = read(Image.fromarray(digit.reshape(SIDE, SIDE))), read(picture(kind, digit, rng))
        moved = [np.roll(found.reshape(SIDE, SIDE), (i, j), (0, 1)).ravel() for i in (-1, 0, 1) for j in (-1, 0, 1)]
        likeness.append(max(np.corrcoef(clean, m)[0, 1] for m in moved))
    assert sorted(likeness)[1] > 0.85, likeness  # one may have lost a part


@pytest.mark.slow
def test_pictures_as_people_make_them_are_read(read, capsys):
    """Of held-out digits that are read at 93% when clean, at least 85% of each kind."""
    net = MLP([784, 256, 10], "relu", loss="cross_entropy", seed=0, input_scale=255)
    net.fit(*digits(90_000, seed=0), epochs=12, batch_size=32, learning_rate=0.1, verbose=0)
    images, labels = digits(200, seed=123)
    shares = {}
    for kind in KINDS:
        rng = np.random.RandomState(1)
        answers = [net.predict(read(picture(kind, image, rng))) for image in images]
        shares[kind.__name__] = np.mean(answers == labels)
    with capsys.disabled():
        print("\n" + "\n".join(f"{name:24}{share:.1%}" for name, share in shares.items()))
    assert min(shares.values()) >= 0.85
