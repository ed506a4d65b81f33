#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes the files beside it with numpy and the safetensors package (independent writers), for the tests of include/mmd/io.

Element (i, k) of each 3 x 5 array is (5 i + k - 7) / 4, which all types hold exactly.
"""
import pathlib

import ml_dtypes
import numpy as np
from numpy.lib import format as npy
from safetensors.numpy import save_file

HERE = pathlib.Path(__file__).parent
BASE = (np.arange(15).reshape(3, 5) - 7) / 4


def write(name, array, version=(1, 0)):
    with open(HERE / name, "wb") as file:
        npy.write_array(file, array, version=version)


for kind in ("f2", "f4", "f8"):
    write(f"c_{kind}.npy", BASE.astype("<" + kind))
    write(f"fortran_{kind}.npy", np.asfortranarray(BASE.astype("<" + kind)))
write("version2_f4.npy", BASE.astype("<f4"), (2, 0))
write("version3_f8.npy", BASE.astype("<f8"), (3, 0))
write("one_dimension_f8.npy", BASE[0].astype("<f8"))
write("no_rows_f4.npy", BASE[:0].astype("<f4"))
write("no_columns_f4.npy", BASE[:, :0].astype("<f4"))
write("no_dimension_f8.npy", np.array(1.5))
write("three_dimensions_f4.npy", BASE.astype("<f4").reshape(3, 5, 1))
write("big_endian_f8.npy", BASE.astype(">f8"))
write("integers_i8.npy", np.arange(15).reshape(3, 5).astype("<i8"))
write("booleans.npy", BASE > 0)
write("complex_c8.npy", BASE.astype("<c8"))
write("structured.npy", np.zeros(3, dtype=[("a", "<f4"), ("b", "<f8")]))

save_file(
    {
        "halves": BASE.astype("<f2"),
        "floats": BASE.astype("<f4"),
        "doubles": BASE.astype("<f8"),
        "bytes": np.arange(5, dtype=np.uint8),
        "integers": np.array([[-1, 2], [3, -(2**62)]], dtype=np.int64),
        "number": np.array(2.5),
        "empty": np.zeros((0, 4), dtype=np.float32),
    },
    HERE / "mixed.safetensors",
    metadata={"made_by": "safetensors", "café": "naïve \"quotes\""},
)

save_file({"brain": BASE.astype(ml_dtypes.bfloat16), "halves": BASE.astype("<f2")}, HERE / "halves.safetensors")
