"""Peak memory that hostile films take: one row for each, read as a worker reads it.

    python -m tests.bench.bombs [NAME…]

Each film is scanned in a process of its own, so that the peak is its own. Columns: size of the file, what became
of it, the largest resident memory of that process, model and decoders included, and how long it took.
"""

from __future__ import annotations

import multiprocessing
import struct
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import imagecodecs
import numpy as np
from pydicom import uid

from cxrscan.scanner.records import ScanResult, Skip
from cxrscan.scanner.settings import ScanSettings
from cxrscan.scanner.system.memory import limited_memory
from tests.builders import dicom_film, encode, film_pixels

_MAX_MEMORY_GIB = 4.0  # the command's default


def png(width: int, height: int, colour_type: int = 0, depth: int = 8) -> bytes:
    """A whole PNG of zeros, made without its pixels ever lying in memory."""
    samples = {0: 1, 2: 3, 3: 1, 6: 4}[colour_type]
    row = bytes(1 + width * samples * depth // 8)
    packer = zlib.compressobj(9)
    body = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    palette = _chunk(b"PLTE", bytes(768)) if colour_type == 3 else b""
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + palette + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png_header_only(width: int, height: int) -> bytes:
    """A PNG that claims a size and brings no pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", b"") + _chunk(b"IEND", b"")


def png_text(megabytes: int) -> bytes:
    """A small PNG with a compressed text that swells."""
    whole = encode(film_pixels(), "PNG")
    text = _chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(megabytes << 20), 9))
    return whole[:33] + text + whole[33:]


def jpeg_claiming(width: int, height: int, *, progressive: bool = False) -> bytes:
    """A small JPEG whose frame header claims another size."""
    data = bytearray(encode(film_pixels(), "JPEG", progressive=progressive))
    at = data.index(b"\xff\xc2" if progressive else b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def jpeg(width: int, height: int, *, progressive: bool) -> bytes:
    """A whole JPEG of one grey."""
    return encode(np.full((height, width), 99, np.uint8), "JPEG", progressive=progressive)


def jpeg_of_scans(side: int, n_scans: int) -> bytes:
    """A progressive JPEG of one grey whose last scan comes again and again: every time all pixels are visited."""
    data = jpeg(side, side, progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * n_scans + data[-2:]


def tiff_with_tiles(side: int) -> bytes:
    """A TIFF of 64 x 64 pixels in one tile of another size."""
    fields = [
        (256, 64),
        (257, 64),
        (258, 8),
        (259, 5),
        (262, 1),
        (277, 1),
        (322, side),
        (323, side),
        (324, 8),
        (325, 4),
    ]
    directory = struct.pack("<H", len(fields)) + b"".join(struct.pack("<HHII", tag, 4, 1, n) for tag, n in fields)
    return b"II*\0" + struct.pack("<I", 12) + b"\x80\0\1\1" + directory + bytes(4)


def tiff_with_pages(n_pages: int) -> bytes:
    """A TIFF with a picture of 16 x 16 pixels and a long chain of pages that share its pixels."""
    out = bytearray(encode(film_pixels(height=16, width=16), "TIFF"))
    (first,) = struct.unpack_from("<I", out, 4)
    (n_fields,) = struct.unpack_from("<H", out, first)
    out += bytes(len(out) % 2)
    struct.pack_into("<I", out, first + 2 + 12 * n_fields, len(out))
    fields = [(256, 16), (257, 16), (258, 8), (259, 1), (262, 1), (273, 8), (278, 16), (279, 256)]
    directory = struct.pack("<H", len(fields)) + b"".join(struct.pack("<HHII", tag, 4, 1, n) for tag, n in fields)
    for start in range(len(out), len(out) + n_pages * (len(directory) + 4), len(directory) + 4):
        out += directory + struct.pack("<I", start + len(directory) + 4)
    out[-4:] = bytes(4)
    return bytes(out)


def bmp_claiming(width: int, height: int) -> bytes:
    """A BMP without pixels that claims a size."""
    return b"BM" + struct.pack("<IIIIiiHHIIiiII", 54, 0, 54, 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)


def dicom_claiming(rows: int, columns: int, syntax: str = uid.ExplicitVRLittleEndian, **header: object) -> bytes:
    """A small DICOM film whose header claims another size."""
    return dicom_film(film_pixels(), syntax=syntax, Rows=rows, Columns=columns, **header)


def dicom_deflated(rows: int, columns: int) -> bytes:
    """A film of zeros, deflated."""
    return dicom_film(np.zeros((rows, columns), np.uint16), syntax=uid.DeflatedExplicitVRLittleEndian)


def dicom_jpeg_2000(rows: int, columns: int, *, claimed: tuple[int, int] | None = None, samples: int = 1) -> bytes:
    """A film of zeros in JPEG 2000; the codestream may claim another size, or many components."""
    stream = bytearray(imagecodecs.jpeg2k_encode(np.zeros((rows, columns), np.uint8), codecformat="j2k"))
    if claimed is not None:
        struct.pack_into(">2I", stream, 8, claimed[1], claimed[0])  # Xsiz, Ysiz
        struct.pack_into(">2I", stream, 24, claimed[1], claimed[0])  # one tile
        rows, columns = claimed
    if samples > 1:  # SIZ grows by three bytes for each component
        struct.pack_into(">H", stream, 40, samples)
        struct.pack_into(">H", stream, 4, 38 + 3 * samples)
        stream[45:45] = b"\7\1\1" * (samples - 1)
    header = {"SamplesPerPixel": samples, "Rows": rows, "Columns": columns}
    return dicom_film(np.zeros((8, 8), np.uint8), syntax=uid.JPEG2000Lossless, codestreams=[bytes(stream)], **header)


def dicom_rle(rows: int, columns: int) -> bytes:
    """A film of zeros, run-length encoded: 64 pixels a byte."""
    n = -(-rows * columns // 128)
    stream = struct.pack("<16I", 1, 64, *[0] * 14) + b"\x81\0" * n
    return dicom_film(
        np.zeros((8, 8), np.uint8), syntax=uid.RLELossless, codestreams=[stream], Rows=rows, Columns=columns
    )


BOMBS: dict[str, Callable[[], bytes]] = {
    "a film of 3000 x 2500, for comparison": lambda: encode(film_pixels(height=2500, width=3000), "PNG"),
    "PNG 50,000 x 50,000, whole": lambda: png(50_000, 50_000),
    "PNG 50,000 x 50,000, header only": lambda: png_header_only(50_000, 50_000),
    "PNG 14,000 x 14,000 grey (within the limit)": lambda: png(14_000, 14_000),
    "PNG 14,000 x 14,000 grey, 16 bits": lambda: png(14_000, 14_000, depth=16),
    "PNG 14,000 x 14,000 colour": lambda: png(14_000, 14_000, 2),
    "PNG 14,000 x 14,000 palette": lambda: png(14_000, 14_000, 3),
    "PNG 14,000 x 14,000 colour with alpha": lambda: png(14_000, 14_000, 6),
    "PNG 199,000,000 x 1": lambda: png(199_000_000, 1),
    "PNG with 1 GB of compressed text": lambda: png_text(1024),
    "JPEG header 65,500 x 65,500": lambda: jpeg_claiming(65_500, 65_500),
    "JPEG header 14,000 x 14,000": lambda: jpeg_claiming(14_000, 14_000),
    "JPEG header 14,000 x 14,000, progressive": lambda: jpeg_claiming(14_000, 14_000, progressive=True),
    "JPEG 14,000 x 14,000, whole": lambda: jpeg(14_000, 14_000, progressive=False),
    "JPEG 14,000 x 14,000, progressive": lambda: jpeg(14_000, 14_000, progressive=True),
    "JPEG 3,000 x 3,000 of 1,000 scans": lambda: jpeg_of_scans(3_000, 1_000),
    "TIFF 64 x 64 in a tile of 46,000 x 46,000": lambda: tiff_with_tiles(46_000),
    "TIFF 64 x 64 in a tile of 2^31 x 2^31": lambda: tiff_with_tiles(1 << 31),
    "TIFF with 100,000 pages": lambda: tiff_with_pages(100_000),
    "BMP header 100,000 x 100,000": lambda: bmp_claiming(100_000, 100_000),
    "BMP header 14,000 x 14,000": lambda: bmp_claiming(14_000, 14_000),
    "DICOM header 65,535 x 65,535": lambda: dicom_claiming(65_535, 65_535),
    "DICOM header 14,000 x 14,000": lambda: dicom_claiming(14_000, 14_000),
    "DICOM header 65,535 samples per pixel": lambda: dicom_claiming(14_000, 14_000, SamplesPerPixel=65_535),
    "DICOM JPEG header 14,000 x 14,000": lambda: dicom_claiming(14_000, 14_000, uid.JPEGBaseline8Bit),
    "DICOM deflated 50,000 x 20,000": lambda: dicom_deflated(50_000, 20_000),
    "DICOM deflated 14,000 x 14,000": lambda: dicom_deflated(14_000, 14_000),
    "DICOM JPEG 2000 header 65,000 x 65,000": lambda: dicom_jpeg_2000(64, 64, claimed=(65_000, 65_000)),
    "DICOM JPEG 2000 header 14,000 x 14,000": lambda: dicom_jpeg_2000(64, 64, claimed=(14_000, 14_000)),
    "DICOM JPEG 2000 14,000 x 14,000, whole": lambda: dicom_jpeg_2000(14_000, 14_000),
    "DICOM JPEG 2000 of 16,000 components": lambda: dicom_jpeg_2000(64, 64, claimed=(14_000, 14_000), samples=16_000),
    "DICOM RLE 14,000 x 14,000": lambda: dicom_rle(14_000, 14_000),
    "DICOM 14,000 x 14,000 with pixels four times as high": lambda: dicom_film(
        np.zeros((14_000, 14_000), np.uint8), PixelAspectRatio=[4, 1]
    ),
}


def scan_alone(path: Path) -> tuple[list[ScanResult | Skip], float, float]:
    """Scan one film here, under the memory limit of a worker: outcomes, largest resident MiB, seconds."""
    from cxrscan.scanner.sources.walk import find_images
    from cxrscan.scanner.worker import scan_chunk

    start = time.perf_counter()
    with limited_memory(_MAX_MEMORY_GIB):
        outcomes = scan_chunk(list(find_images([path])), ScanSettings())
    return outcomes, peak_mebibytes(), time.perf_counter() - start


def peak_mebibytes() -> float:
    """Largest resident memory of this process; ``getrusage`` would count that of its parent too."""
    status = Path("/proc/self/status").read_text()
    return float(status.split("VmHWM:")[1].split()[0]) / 1024


def measure(names: list[str]) -> Iterator[str]:
    """Rows of the table."""
    yield "| file | bytes | outcome | peak MiB | s |\n|---|---|---|---|---|"
    with TemporaryDirectory() as folder:
        for name in names:
            path = Path(folder) / ("bomb.dcm" if name.startswith("DICOM") else "bomb.png")
            path.write_bytes(BOMBS[name]())
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                (outcome,), mebibytes, seconds = pool.apply(scan_alone, (path,))
            failure = getattr(outcome, "failure", None)
            said = f"`{failure.code}`" if failure else getattr(outcome, "status", outcome)
            yield f"| {name} | {path.stat().st_size:,} | {said} | {mebibytes:,.0f} | {seconds:.1f} |"


if __name__ == "__main__":
    for row in measure(sys.argv[1:] or list(BOMBS)):
        print(row, flush=True)  # noqa: T201
