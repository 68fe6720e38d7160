"""The command `vlsi`: finds this Python's torch, whose C++ library the program runs on, and becomes the program.

Libraries that are packed (lib/….so.xz, in a bundle) are unpacked at the first start, beside them or, where nothing may be written there,
into the user's cache.
"""
import hashlib
import importlib.util
import os
import pathlib
import re
import sys

from vlsi.built_for import LIBRARIES, TORCH


def refuse(found):
    print(f"vlsi: starting the program: {found}, expected torch {TORCH}, which it was built against; "
          f"pip install torch=={TORCH}", file=sys.stderr)
    raise SystemExit(2)


def torch_folder():
    """Where torch is, without importing it."""
    spec = importlib.util.find_spec("torch")
    folders = list(spec.submodule_search_locations or []) if spec else []
    for folder in map(pathlib.Path, folders):
        if (folder / "lib" / "libtorch_cpu.so").exists():
            version = re.search(r"__version__ = ['\"]([^'\"]+)", (folder / "version.py").read_text())
            version = version.group(1) if version else "of an unknown version"
            if version.split("+")[0] != TORCH:
                refuse(f"torch at {folder} is {version}")
            for library in LIBRARIES:
                if not (folder / "lib" / library).exists():
                    refuse(f"torch at {folder}, {version}, has no {library}")
            return folder
    refuse(f"there is no torch for {sys.executable}")


def unpack(library, folder):
    """`library`.xz as `folder`/`library`, which is there whole or not at all, whoever else is unpacking it."""
    import lzma  # at the first start alone
    import shutil

    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f"{library.stem}.{os.getpid()}"
    try:
        with lzma.open(library) as source, open(temporary, "wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)
        os.replace(temporary, folder / library.stem)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        print(f"vlsi: unpacking {library}: {error}", file=sys.stderr)
        raise SystemExit(2)


def unpacked(lib):
    """The folder where the packed libraries of `lib` are unpacked."""
    packed = sorted(lib.glob("*.xz"))
    folder = lib
    if not os.access(lib, os.W_OK):
        cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
        # Of these libraries alone: others may have their names.
        sizes = ",".join(f"{library.name} {library.stat().st_size}" for library in packed)
        folder = cache / "vlsi" / hashlib.sha256(sizes.encode()).hexdigest()[:16]
    for library in packed:
        if not (lib / library.stem).exists() and not (folder / library.stem).exists():
            unpack(library, folder)
    return folder


def main():
    package = pathlib.Path(__file__).resolve().parent
    folder = torch_folder().resolve()
    libraries = unpacked(package / "lib")
    paths = [] if libraries == package / "lib" else [str(libraries), str(package / "lib")]
    if folder.parent != package.parent:  # beside this package the program finds it by itself
        paths += [str(folder / "lib"), str(folder.parent / "torch.libs")]
    if paths:
        os.environ["LD_LIBRARY_PATH"] = ":".join(paths + [os.environ[key] for key in ["LD_LIBRARY_PATH"] if os.environ.get(key)])
    program = str(package / "bin" / "vlsi")
    os.execv(program, [program] + sys.argv[1:])


if __name__ == "__main__":
    main()
