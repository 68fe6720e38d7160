"""The command `vlsi`: finds this Python's torch, whose C++ library the program runs on, and becomes the program."""
import importlib.util
import os
import pathlib
import re
import sys

from vlsi.built_for import TORCH


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
            return folder
    refuse(f"there is no torch for {sys.executable}")


def main():
    package = pathlib.Path(__file__).resolve().parent
    folder = torch_folder().resolve()
    if folder.parent != package.parent:  # beside this package the program finds it by itself
        paths = [str(folder / "lib"), str(folder.parent / "torch.libs")]
        os.environ["LD_LIBRARY_PATH"] = ":".join(paths + [os.environ[key] for key in ["LD_LIBRARY_PATH"] if os.environ.get(key)])
    program = str(package / "bin" / "vlsi")
    os.execv(program, [program] + sys.argv[1:])


if __name__ == "__main__":
    main()
