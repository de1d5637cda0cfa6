"""What the processor allows: one thread per core that does only what cannot be left out.

    python -m tests.bench.contenders.limits loop|engine|decode|walk BUNDLE FOLDER

Prints films per second and CPU milliseconds per film as JSON, without the time to start. Written with the
libraries alone, so that it measures them and not cxrscan.
"""

from __future__ import annotations

import io
import json
import multiprocessing
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from cxrscan.scanner.sources.walk import find_images
from cxrscan.scanner.system.cores import available_cores

_PER_PASS = 2  # the fastest number of films at a time, see ``tests.bench.choices``


def decode(path: str, side: int) -> Any:
    data = Path(path).read_bytes()
    if data[128:132] == b"DICM":
        return decode_dicom(data, side)
    with Image.open(io.BytesIO(data)) as image:
        image.draft("L", (3 * side, 3 * side))  # as far as probabilities stay; see tests.bench.shortcuts
        return np.asarray(image.convert("L"))


def decode_dicom(data: bytes, side: int) -> Any:
    """Stored values of 8 or 12 bits."""
    import imagecodecs
    from pydicom import dcmread, uid
    from pydicom.encaps import get_frame

    dataset = dcmread(io.BytesIO(data))
    syntax = dataset.file_meta.TransferSyntaxUID
    if not syntax.is_encapsulated:
        return np.frombuffer(dataset.PixelData, np.uint16).reshape(dataset.Rows, dataset.Columns)
    stream = get_frame(dataset.PixelData, 0, number_of_frames=1)
    if syntax == uid.RLELossless:
        values = imagecodecs.dicomrle_decode(stream, "<u2")
        return np.frombuffer(values, "<u2").reshape(dataset.Rows, dataset.Columns)
    if syntax == uid.JPEGLSLossless:
        return imagecodecs.jpegls_decode(stream)
    if syntax in (uid.JPEG2000Lossless, uid.HTJ2KLosslessRPCL):
        return imagecodecs.jpeg2k_decode(stream, numthreads=1)
    return imagecodecs.jpeg8_decode(stream)


def to_tensor(grey: Any, side: int) -> Any:
    small = cv2.resize(grey, (side, side), interpolation=cv2.INTER_AREA)
    return small.astype(np.float32)[..., np.newaxis] / (255.0 if grey.itemsize == 1 else 4095.0)


def work(what: str, bundle: str, paths: list[str], barrier: Any, results: Any) -> None:
    """One core's share."""
    from ai_edge_litert.interpreter import Interpreter

    cv2.setNumThreads(1)
    side = json.loads(Path(bundle, "model.json").read_text())["input_px"]
    interpreter = Interpreter(model_content=Path(bundle, "model.tflite").read_bytes(), num_threads=1)
    run = interpreter.get_signature_runner("serving_default")
    ready = np.random.default_rng(0).random((_PER_PASS, side, side, 1), dtype=np.float32)
    run(film=ready)
    decode(paths[0], side)
    barrier.wait()
    start, cpu_start = time.perf_counter(), time.process_time()
    for i in range(0, len(paths), _PER_PASS):
        some = paths[i : i + _PER_PASS]
        if what == "engine":
            run(film=ready[: len(some)])
            continue
        pictures = [decode(path, side) for path in some]
        if what == "loop":
            run(film=np.stack([to_tensor(picture, side) for picture in pictures]))
    results.put((time.perf_counter() - start, time.process_time() - cpu_start))


def main(what: str, bundle: str, folder: str) -> None:
    if what == "walk":
        start, cpu_start = time.perf_counter(), time.process_time()
        n = sum(1 for _ in find_images([Path(folder)]))
        wall, cpu = time.perf_counter() - start, time.process_time() - cpu_start
    else:
        paths = [str(source.path) for source in find_images([Path(folder)])]
        n, n_cores = len(paths), available_cores()
        processes = multiprocessing.get_context("spawn")
        barrier, results = processes.Barrier(n_cores), processes.Queue()
        workers = [
            processes.Process(target=work, args=(what, bundle, paths[i::n_cores], barrier, results))
            for i in range(n_cores)
        ]
        for worker in workers:
            worker.start()
        times = [results.get() for _ in workers]
        for worker in workers:
            worker.join()
        wall, cpu = max(wall for wall, _ in times), sum(cpu for _, cpu in times)
    print(json.dumps({"films_per_s": n / wall, "cpu_ms": 1e3 * cpu / n}))  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
