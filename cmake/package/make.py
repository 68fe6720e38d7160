"""The installed program as a folder or a pip wheel with the shared libraries that it needs, but for those of torch.

    make.py PREFIX --torch FOLDER --patchelf PROGRAM --folder DIR     DIR/vlsi: bin/, lib/, licenses/ and the entry point,
                                                                      the largest libraries packed for it to unpack
    make.py PREFIX --torch FOLDER --patchelf PROGRAM --wheel DIR      DIR/vlsi-….whl of that, the manual page and completions

PREFIX is that of `cmake --install`, FOLDER the torch that the program was built against. Left to the machine are glibc and GCC's libraries; the newest versions of their symbols
that are needed are printed, and name the wheel's platform.
"""
import argparse
import base64
import hashlib
import lzma
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile

SOURCE = pathlib.Path(__file__).resolve().parent
PROJECT = SOURCE.parent.parent
sys.path.insert(0, str(SOURCE.parent))
import weaken  # noqa: E402

OF_THE_MACHINE = re.compile(r"(linux-vdso|ld-linux.*|libc|libm|libdl|libpthread|librt|libutil|libstdc\+\+|libgcc_s)\.so\b.*")
OF_TORCH = re.compile(r"lib(torch|c10|gomp|cu|nv|nccl).*\.so\b.*")
# What is compiled into the program.
COMPILED_IN = ["libarchive-dev", "libcli11-dev", "libgloo-dev", "libxxhash-dev", "nlohmann-json3-dev"]
# Where the program looks: its own libraries, then those of a torch that is installed beside it.
RUNPATH = ":".join(["$ORIGIN/../lib", "$ORIGIN/../../torch/lib", "$ORIGIN/../../torch.libs"])


def said(*command):
    return subprocess.run([str(part) for part in command], check=True, stdout=subprocess.PIPE, text=True).stdout


def libraries_of(program):
    """Names and paths of what is to be carried along."""
    libraries = {}
    for line in said("ldd", program).splitlines():
        name, _, rest = line.strip().partition(" => ")
        if not rest or OF_THE_MACHINE.fullmatch(name) or OF_TORCH.fullmatch(name):
            continue
        if rest == "not found":
            raise SystemExit(f"make.py: {program} needs {name}, which is not found")
        libraries[name] = pathlib.Path(rest.split(" (")[0])
    return libraries


def licence_of(library):
    """What the library's package says of its licence: a name and a file."""
    if "pyarrow" in library.parts:
        found = next(library.parent.parent.glob("pyarrow-*.dist-info/licenses/LICENSE.txt"))
        return "arrow", found
    for path in (library.resolve(), pathlib.Path(*library.parts)):
        for spelling in {str(path), str(path).removeprefix("/usr")}:
            search = subprocess.run(["dpkg-query", "-S", spelling], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            if search.returncode == 0:
                package = search.stdout.split(":")[0]
                return package, pathlib.Path("/usr/share/doc", package, "copyright")
    raise SystemExit(f"make.py: no package has {library}, whose licence is wanted")


def pack(folder, least_bytes=4 << 20):
    """Packs the libraries of `folder` that have so many bytes."""
    for library in folder.iterdir():
        if library.stat().st_size >= least_bytes:
            library.with_name(library.name + ".xz").write_bytes(lzma.compress(library.read_bytes(), preset=9))
            library.unlink()


def newest_symbols(files):
    """The newest version of each kind that `files` want of the machine's libraries: {"GLIBC": (2, 34), …}."""
    newest = {}
    for file in files:
        for kind, version in re.findall(r"\((GLIBC|GLIBCXX|CXXABI|GCC)_([0-9.]+)\)", said("objdump", "-T", file)):
            newest[kind] = max(newest.get(kind, ()), tuple(map(int, version.split("."))))
    return newest


def make_folder(program, torch, patchelf, folder, more_programs=()):
    """`folder`/vlsi, a Python package; returns the version of torch that it is for, and the symbols that it needs."""
    package = folder / "vlsi"
    shutil.copytree(SOURCE / "vlsi", package, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("bin", "lib", "licenses"):
        (package / name).mkdir()
    files = {}
    for one in (program, *more_programs):
        files[package / "bin" / one.name] = RUNPATH
        shutil.copy(one, package / "bin" / one.name)
    for name, library in libraries_of(program).items():
        shutil.copy(library, package / "lib" / name)
        files[package / "lib" / name] = "$ORIGIN"
        licence, text = licence_of(library)
        shutil.copy(text, package / "licenses" / f"{licence}.txt")
    for name in COMPILED_IN:
        shutil.copy(f"/usr/share/doc/{name}/copyright", package / "licenses" / f"{name}.txt")
    for file, runpath in files.items():
        file.chmod(0o755)
        said("strip", "--strip-unneeded", file)
        if file.parent.name == "bin":
            weaken.main(file, *(torch / "lib").glob("libtorch_c*.so"), *(torch / "lib").glob("libc10*.so"))
        # (LibTorch for GPUs brings these itself, and one for CPUs has none.)
        said(patchelf, "--set-rpath", runpath, "--remove-needed", "libtorch_cuda.so", "--remove-needed", "libc10_cuda.so", file)
    version = re.search(r"__version__ = '([^'+]+)", (torch / "version.py").read_text()).group(1)
    libraries = sorted(set(re.findall(r"NEEDED +(lib(?:torch|c10)\w*\.so)", said("objdump", "-p", package / "bin" / "vlsi"))))
    (package / "built_for.py").write_text(f'TORCH = "{version}"\nLIBRARIES = {libraries}\n')
    return version, newest_symbols(files)


def names_of(symbols):
    return ", ".join(f"{kind} {'.'.join(map(str, symbols[kind]))}" for kind in sorted(symbols))


def platform_of(symbols):
    """The tag of the machines that have `symbols`: https://peps.python.org/pep-0600. A libstdc++ of 3.4.30 came with glibc 2.35."""
    glibc = symbols["GLIBC"][:2]
    if symbols["GLIBCXX"] > (3, 4, 29):
        glibc = max(glibc, (2, 35))
    if symbols["GLIBCXX"] > (3, 4, 30):
        glibc = max(glibc, (2, 38))
    return "manylinux_%d_%d_%s" % (*glibc, said("uname", "-m").strip())


def make_wheel(prefix, torch, patchelf, out):
    version = re.search(r"project\(vlsi VERSION ([0-9.]+)", (PROJECT / "CMakeLists.txt").read_text()).group(1)
    with tempfile.TemporaryDirectory() as temporary:
        root = pathlib.Path(temporary)
        built_for, symbols = make_folder(prefix / "bin" / "vlsi", torch, patchelf, root)
        platform = platform_of(symbols)
        shutil.copytree(prefix / "share", root / f"vlsi-{version}.data" / "data" / "share", ignore=shutil.ignore_patterns("doc"))
        info = root / f"vlsi-{version}.dist-info"
        (info / "licenses").mkdir(parents=True)
        shutil.copy(PROJECT / "LICENSE", info / "licenses")
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.4\nName: vlsi\nVersion: {version}\n"
            "Summary: Makes a large vision-language model small by Verbalized Layers-to-Interactions\n"
            f"License-Expression: Apache-2.0\nLicense-File: LICENSE\nRequires-Python: >=3.8\nRequires-Dist: torch=={built_for}\n"
            "Description-Content-Type: text/markdown\n\n" + (PROJECT / "README.md").read_text())
        (info / "WHEEL").write_text(f"Wheel-Version: 1.0\nGenerator: vlsi\nRoot-Is-Purelib: false\nTag: py3-none-{platform}\n")
        (info / "entry_points.txt").write_text("[console_scripts]\nvlsi = vlsi.__main__:main\n")
        out.mkdir(parents=True, exist_ok=True)
        wheel = out / f"vlsi-{version}-py3-none-{platform}.whl"
        write_wheel(root, info / "RECORD", wheel)
    print(f"{wheel}: {wheel.stat().st_size / 2**20:.1f} MiB, for torch {built_for}; needs {names_of(symbols)}")


def write_wheel(root, record, wheel):
    """Zips everything below `root`, the record of it last; the same files give the same wheel."""
    files = sorted(path for path in root.rglob("*") if path.is_file())
    lines = []
    for path in files:
        digest = base64.urlsafe_b64encode(hashlib.sha256(path.read_bytes()).digest()).rstrip(b"=").decode()
        lines.append(f"{path.relative_to(root)},sha256={digest},{path.stat().st_size}\n")
    record.write_text("".join(lines) + f"{record.relative_to(root)},,\n")
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in files + [record]:
            entry = zipfile.ZipInfo(str(path.relative_to(root)), (1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (0o100755 if path.stat().st_mode & 0o100 else 0o100644) << 16
            archive.writestr(entry, path.read_bytes())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("prefix", type=pathlib.Path)
    parser.add_argument("--torch", type=pathlib.Path, required=True)
    parser.add_argument("--patchelf", required=True)
    parser.add_argument("--also", type=pathlib.Path, action="append", default=[], metavar="PROGRAM", help="beside vlsi, in a folder")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--folder", type=pathlib.Path)
    where.add_argument("--wheel", type=pathlib.Path)
    given = parser.parse_args()
    if given.wheel:
        make_wheel(given.prefix, given.torch, given.patchelf, given.wheel)
    else:
        given.folder.mkdir(parents=True)
        version, symbols = make_folder(given.prefix / "bin" / "vlsi", given.torch, given.patchelf, given.folder, given.also)
        pack(given.folder / "vlsi" / "lib")
        print(f"{given.folder}: for torch {version}; needs {names_of(symbols)}")
