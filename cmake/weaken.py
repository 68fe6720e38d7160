#!/usr/bin/env python3
"""Makes what a program wants of some libraries weak, so that it starts without: what is missing is null.

    weaken.py PROGRAM LIBRARY...

A library of another version lacks some of it, and the dynamic linker would end the program with the name of the first symbol before
anything in the program runs. A program so treated can say itself what is the matter (src/base/loaded_torch.h). ELF of 64 bits,
little-endian.
"""
import mmap
import struct
import sys

DYNSYM, GLOBAL, WEAK = 11, 1, 2
MORE_ROOM = 512
SYMBOL = struct.Struct("<IBBHQQ")  # name, binding and type, visibility, section, value, size


def symbols_of(image):
    """The place, name, binding and type, and section of every dynamic symbol."""
    first, = struct.unpack_from("<Q", image, 40)
    size, count = struct.unpack_from("<HH", image, 58)
    sections = [struct.unpack_from("<IIQQQQIIQQ", image, first + i * size) for i in range(count)]
    for _, kind, _, _, offset, length, link, _, _, _ in sections:
        if kind != DYNSYM:
            continue
        names = image[sections[link][4]:sections[link][4] + sections[link][5]]
        for place in range(offset, offset + length, SYMBOL.size):
            name, info, _, section, _, _ = SYMBOL.unpack_from(image, place)
            yield place, names[name:names.index(b"\0", name)], info, section


def main(program, *libraries):
    exported = set()
    for library in libraries:
        with open(library, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as image:
            exported.update(name for _, name, _, section in symbols_of(image) if section != 0)
    with open(program, "r+b") as file, mmap.mmap(file.fileno(), 0) as image:
        if image[:6] != b"\x7fELF\x02\x01":
            sys.exit(f"weaken.py: {program} is no ELF file of 64 bits, little-endian")
        for place, name, info, section in list(symbols_of(image)):
            if info >> 4 != GLOBAL or name not in exported:
                continue
            image[place + 4] = WEAK << 4 | info & 15
            if section != 0:  # is copied into the program, as much as the library has; the linker would warn of less room
                size, = struct.unpack_from("<Q", image, place + 16)
                struct.pack_into("<Q", image, place + 16, size + MORE_ROOM)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
