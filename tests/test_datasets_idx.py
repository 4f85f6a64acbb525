"""IDX files: every element type, gzipped or not, and every way of being broken."""

import gzip
import struct
import tracemalloc

import numpy as np
import pytest

from fastmlp.datasets import load_idx

TYPES = [(0x08, "u1"), (0x09, "i1"), (0x0B, "i2"), (0x0C, "i4"), (0x0D, "f4"), (0x0E, "f8")]


def idx(array, number):
    header = bytes([0, 0, number, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


def write(folder, content, zipped=False):
    path = folder / "data"
    path.write_bytes(gzip.compress(content) if zipped else content)
    return path


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("number, kind", TYPES)
def test_every_type_comes_back_native(tmp_path, number, kind, zipped):
    bits = np.random.RandomState(number).bytes(3 * 4 * 5 * np.dtype(kind).itemsize)
    array = np.frombuffer(bits, kind).reshape(3, 4, 5)
    result = load_idx(write(tmp_path, idx(array, number), zipped))
    assert result.dtype == np.dtype(kind) and result.dtype.isnative
    assert result.shape == (3, 4, 5)
    assert result.tobytes() == array.tobytes()
    assert result.flags.writeable and result.flags.c_contiguous


@pytest.mark.parametrize("shape", [(7,), (1,), (0,), (3, 0, 2), (2, 1, 3, 1, 2), (1,) * 64])
def test_any_number_of_dimensions(tmp_path, shape):
    array = np.arange(np.prod(shape), dtype=np.int16).reshape(shape)
    np.testing.assert_array_equal(load_idx(write(tmp_path, idx(array, 0x0B))), array)


def test_content_decides_and_not_the_name(tmp_path):
    array = np.arange(6, dtype=np.uint8).reshape(2, 3)
    plain, zipped = tmp_path / "plain.gz", tmp_path / "zipped"
    plain.write_bytes(idx(array, 0x08))
    zipped.write_bytes(gzip.compress(idx(array, 0x08)))
    np.testing.assert_array_equal(load_idx(str(plain)), array)
    np.testing.assert_array_equal(load_idx(str(zipped)), array)


GOOD = idx(np.arange(6, dtype=np.int32).reshape(2, 3), 0x0C)


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "not an IDX file.*found nothing"),
        (b"\0\0\x08", "not an IDX file.*found 00 00 08"),
        (b"P5 28 28 255 ", "not an IDX file.*found 50 35"),
        (b"\0\0\x0a\x01" + bytes(8), "not an IDX file.*element type"),
        (b"\0\0\x08\0", "1 to 64 dimensions, the header says 0"),
        (b"\0\0\x08\x41" + bytes(300), "1 to 64 dimensions, the header says 65"),
        (GOOD[:9], "expected 8 bytes with the sizes of 2 dimensions, found 5"),
        (GOOD[:12], "expected 24 bytes"),
        (GOOD[:-1], "expected 24 bytes .*shape \\(2, 3\\) of int32"),
        (GOOD + b"\0", "expected the file to end after 24 bytes"),
        (b"\0\0\x08\x20" + b"\0" * 4 + b"\xff" * 124, "more than an array can have"),
    ],
)
def test_broken_files_are_refused_by_name(tmp_path, content, message, zipped):
    path = write(tmp_path, content, zipped)
    with pytest.raises(ValueError, match=message) as error:
        load_idx(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("keep", [3, 15, -9, -1])
def test_gzip_cut_short(tmp_path, keep):
    path = tmp_path / "data"
    path.write_bytes(gzip.compress(GOOD)[:keep])
    with pytest.raises(ValueError, match="cut short") as error:
        load_idx(path)
    assert str(path) in str(error.value)


def test_gzip_with_a_wrong_checksum(tmp_path):
    content = bytearray(gzip.compress(GOOD))
    content[-8] ^= 1
    path = tmp_path / "data"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="gzip"):
        load_idx(path)


def peak_of_refusal(path):
    tracemalloc.start()
    with pytest.raises(ValueError, match="expected"):
        load_idx(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("sizes", [(0xFFFFFFFF,) * 3, (1 << 28,)])
def test_a_header_that_claims_too_much_costs_no_memory(tmp_path, sizes, zipped):
    claim = b"\0\0\x0e" + bytes([len(sizes)]) + struct.pack(f">{len(sizes)}I", *sizes)
    assert peak_of_refusal(write(tmp_path, claim + bytes(1000), zipped)) < 1 << 20


def test_a_claim_that_a_gzip_stream_could_just_hold_costs_what_it_does_hold(tmp_path):
    claim = b"\0\0\x08\x01" + struct.pack(">I", 1 << 27)
    path = write(tmp_path, claim + np.random.RandomState(0).bytes(200_000), zipped=True)
    assert peak_of_refusal(path) < 1 << 22


def test_the_most_compressible_file_is_read(tmp_path):
    result = load_idx(write(tmp_path, idx(np.zeros(1 << 24, np.uint8), 0x08), zipped=True))
    assert result.shape == (1 << 24,) and not result.any()


def test_a_gzip_bomb_costs_no_memory(tmp_path):
    header = b"\0\0\x08\x01" + struct.pack(">I", 10)
    assert peak_of_refusal(write(tmp_path, header + bytes(1 << 26), zipped=True)) < 1 << 20


def test_a_missing_file_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_idx(tmp_path / "nothing")
