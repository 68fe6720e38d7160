"""Tars with long names and names beyond ASCII, in the three forms that are in use. Made with the tarfile of Python 3.11.

    python tests/oracle/make_tar_fixtures.py      writes tests/data/tar/
"""
import io
import pathlib
import tarfile

OUT = pathlib.Path(__file__).resolve().parent.parent / "data" / "tar"
LONG = "folder/" + "a" * 60 + "/" + "b" * 80  # in ustar a prefix and a name
FILES = {LONG + ".json": b'{"n": 0}', "1.txt": b"one", "größe.txt": b"z" * 1000}

OUT.mkdir(exist_ok=True)
for name, form in [("ustar", tarfile.USTAR_FORMAT), ("pax", tarfile.PAX_FORMAT), ("gnu", tarfile.GNU_FORMAT)]:
    with tarfile.open(OUT / f"{name}.tar", "w", format=form) as tar:
        for path, data in FILES.items():
            info = tarfile.TarInfo(path)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
