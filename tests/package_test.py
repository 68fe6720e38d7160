"""The wheel's entry point and its making, without a wheel, and the program beside another LibTorch: Python's standard library alone.

    VLSI=build/release/vlsi python3 tests/package_test.py      without VLSI, nothing of the program
"""
import lzma
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import zipfile

PACKAGE = pathlib.Path(__file__).resolve().parent.parent / "cmake" / "package"
sys.path.insert(0, str(PACKAGE))
sys.dont_write_bytecode = True
import make  # noqa: E402


class EntryPoint(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.root = pathlib.Path(temporary.name).resolve()
        self.site = self.root / "site"
        shutil.copytree(PACKAGE / "vlsi", self.site / "vlsi")
        (self.site / "vlsi" / "lib").mkdir()
        (self.site / "vlsi" / "built_for.py").write_text('TORCH = "2.13.0"\nLIBRARIES = ["libtorch_cpu.so"]\n')
        program = self.site / "vlsi" / "bin" / "vlsi"
        program.parent.mkdir()
        program.write_text('#!/bin/sh\necho "$@"\necho "libraries: $LD_LIBRARY_PATH"\nexit 7\n')
        program.chmod(0o755)

    def add_torch(self, folder, version):
        (folder / "torch" / "lib").mkdir(parents=True)
        (folder / "torch" / "lib" / "libtorch_cpu.so").touch()
        # Importing it would take seconds, and here fail.
        (folder / "torch" / "__init__.py").write_text("raise RuntimeError('imported')\n")
        (folder / "torch" / "version.py").write_text(f"from typing import Optional\n__version__ = '{version}'\n")

    def start(self, *paths, libraries=None):
        environment = {**os.environ, "PYTHONPATH": ":".join(map(str, paths))}
        environment.pop("LD_LIBRARY_PATH", None)
        if libraries:
            environment["LD_LIBRARY_PATH"] = libraries
        return subprocess.run([sys.executable, "-S", "-m", "vlsi", "plan", "run.yaml"], env=environment, cwd=self.root,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def test_becomes_the_program_beside_any_build_of_its_version(self):
        for version in ("2.13.0", "2.13.0+cpu", "2.13.0+cu130"):
            self.add_torch(self.site, version)
            result = self.start(self.site)
            self.assertEqual((result.returncode, result.stdout, result.stderr), (7, "plan run.yaml\nlibraries: \n", ""))
            shutil.rmtree(self.site / "torch")

    def test_names_the_libraries_of_a_torch_elsewhere(self):
        elsewhere = self.root / "elsewhere"
        self.add_torch(elsewhere, "2.13.0")
        paths = f"{elsewhere}/torch/lib:{elsewhere}/torch.libs"
        self.assertEqual(self.start(self.site, elsewhere).stdout, f"plan run.yaml\nlibraries: {paths}\n")
        self.assertEqual(self.start(self.site, elsewhere, libraries="/mine").stdout, f"plan run.yaml\nlibraries: {paths}:/mine\n")

    def test_unpacks_libraries_at_the_first_start(self):
        self.add_torch(self.site, "2.13.0")
        lib = self.site / "vlsi" / "lib"
        (lib / "libbig.so.1.xz").write_bytes(lzma.compress(b"big" * 1000))
        for _ in range(2):
            self.assertEqual(self.start(self.site).stdout, "plan run.yaml\nlibraries: \n")
            self.assertEqual((lib / "libbig.so.1").read_bytes(), b"big" * 1000)
            self.assertEqual(len(list(lib.iterdir())), 2)

    def test_unpacks_into_the_cache_where_nothing_may_be_written(self):
        lib = self.root / "lib"
        lib.mkdir()
        (lib / "libbig.so.1.xz").write_bytes(lzma.compress(b"big"))
        check = (f"import os, pathlib, sys; sys.path.insert(0, '{self.site}'); from vlsi import __main__; os.access = lambda *_: False; "
                 f"print(__main__.unpacked(pathlib.Path('{lib}')))")
        found = subprocess.run([sys.executable, "-c", check], env={**os.environ, "XDG_CACHE_HOME": str(self.root / "cache")},
                               stdout=subprocess.PIPE, text=True, check=True)
        folder = pathlib.Path(found.stdout.strip())
        self.assertEqual(folder.parent, self.root / "cache" / "vlsi")
        self.assertEqual([file.read_bytes() for file in folder.iterdir()], [b"big"])
        self.assertEqual(len(list(lib.iterdir())), 1)

    def test_refuses_a_torch_without_a_library_that_is_wanted(self):
        self.add_torch(self.site, "2.13.0+cpu")
        (self.site / "vlsi" / "built_for.py").write_text('TORCH = "2.13.0"\nLIBRARIES = ["libtorch_cuda.so"]\n')
        self.assert_refused(f"torch at {self.site}/torch, 2.13.0+cpu, has no libtorch_cuda.so")

    def test_refuses_another_version_and_none(self):
        self.assert_refused("there is no torch for " + sys.executable)
        self.add_torch(self.site, "2.13.1+cpu")
        self.assert_refused(f"torch at {self.site}/torch is 2.13.1+cpu")
        (self.site / "torch" / "version.py").write_text("")
        self.assert_refused("is of an unknown version")

    def assert_refused(self, what):
        result = self.start(self.site)
        self.assertEqual((result.returncode, result.stdout), (2, ""))
        self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)
        for part in ("vlsi: starting the program: ", what, "expected torch 2.13.0", "pip install torch==2.13.0"):
            self.assertIn(part, result.stderr)


@unittest.skipUnless("VLSI" in os.environ, "the program is not named")
class Program(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.torch = pathlib.Path(temporary.name).resolve() / "torch"
        (self.torch / "lib").mkdir(parents=True)
        wanted = subprocess.run(["objdump", "-p", os.environ["VLSI"]], stdout=subprocess.PIPE, text=True, check=True).stdout
        for name in re.findall(r"NEEDED +(lib(?:torch|c10)\w*\.so)", wanted):  # without a single symbol
            subprocess.run([os.environ.get("CC", "cc"), "-shared", "-nostdlib", "-x", "c", "/dev/null", "-o", self.torch / "lib" / name],
                           check=True)

    def start(self):
        environment = {**os.environ, "LD_LIBRARY_PATH": str(self.torch / "lib")}
        return subprocess.run([os.environ["VLSI"], "--version"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def test_names_the_version_of_another_torch(self):
        for file, text in (("build-version", "2.1.0+cpu\n"), ("version.py", "__all__ = []\n__version__ = '2.99.0+cu130'\ndebug = False\n")):
            (self.torch / file).write_text(text)
            result = self.start()
            self.assertEqual((result.returncode, result.stdout), (2, ""), result.stderr)
            version = re.search(r"2\.\d+\.0\+\w+", text).group()
            self.assertRegex(result.stderr, rf"\Avlsi: starting the program: torch at {self.torch} is {re.escape(version)}, "
                             r"expected torch (\d+\.\d+\.\d+), which it was built against; pip install torch==\1\n\Z")


class Wheel(unittest.TestCase):
    def test_platform_is_the_newest_that_its_symbols_need(self):
        def tag(glibc, libstdcxx):
            return make.platform_of({"GLIBC": glibc, "GLIBCXX": libstdcxx}).split("_", 3)[1:3]
        self.assertEqual(tag((2, 28), (3, 4, 25)), ["2", "28"])
        self.assertEqual(tag((2, 2, 5), (3, 4, 30)), ["2", "35"])
        self.assertEqual(tag((2, 36), (3, 4, 30)), ["2", "36"])
        self.assertEqual(tag((2, 34), (3, 4, 32)), ["2", "38"])

    def test_record_lists_every_file_with_its_digest(self):
        with tempfile.TemporaryDirectory() as temporary:
            root, wheel = pathlib.Path(temporary, "root"), pathlib.Path(temporary, "x.whl")
            (root / "vlsi" / "bin").mkdir(parents=True)
            (root / "vlsi" / "bin" / "vlsi").write_text("abc")
            (root / "vlsi" / "bin" / "vlsi").chmod(0o755)
            record = root / "vlsi-1.dist-info" / "RECORD"
            record.parent.mkdir()
            make.write_wheel(root, record, wheel)
            with zipfile.ZipFile(wheel) as archive:
                self.assertEqual(archive.getinfo("vlsi/bin/vlsi").external_attr >> 16 & 0o777, 0o755)
                # echo -n abc | openssl dgst -sha256 -binary | basenc --base64url
                self.assertEqual(archive.read("vlsi-1.dist-info/RECORD").decode(),
                                 "vlsi/bin/vlsi,sha256=ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0,3\nvlsi-1.dist-info/RECORD,,\n")


if __name__ == "__main__":
    unittest.main()
