"""Small pictures of every kind that decode_image reads, each with the RGB that PIL gives as a PPM file beside it, and
hashes of PIL's bicubic resize. Made with Pillow 13.0.0 (libjpeg-turbo 3.2.0, libwebp 1.6.0).

    python tests/oracle/make_image_fixtures.py        writes tests/data/images/
"""
import io
import json
import pathlib
import struct
import zlib

from PIL import Image, ImageOps, PngImagePlugin

OUT = pathlib.Path(__file__).resolve().parent.parent / "data" / "images"
WIDTH, HEIGHT = 23, 17


def noise(count, seed):
    """Bytes of a linear congruential generator; the tests have the same one."""
    state, out = seed, bytearray(count)
    for i in range(count):
        state = (state * 1664525 + 1013904223) % 2**32
        out[i] = state >> 24
    return bytes(out)


def fnv(data):
    """64-bit FNV-1a, in hexadecimal."""
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return f"{value:016x}"


def smooth(mode="RGB", width=WIDTH, height=HEIGHT):
    """Gradients with a hard edge: enough to show a wrong upsampling or a wrong side."""
    image = Image.new("RGB", (width, height))
    for y in range(height):
        for x in range(width):
            image.putpixel((x, y), (x * 11 % 256, y * 15 % 256, 255 if x > y else (x * y) % 256))
    if mode == "RGBA":
        image.putalpha(Image.frombytes("L", (width, height), noise(width * height, 5)))
        return image
    if mode == "CMYK":
        return Image.frombytes("CMYK", (width, height),
                               b"".join(bytes(((x * 11) % 256, (y * 15) % 256, (x * y) % 256, (x + y) * 3))
                                        for y in range(height) for x in range(width)))
    return image.convert(mode)


def put(name, data):
    path = OUT / name
    path.write_bytes(data)
    rgb = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    (OUT / (name + ".ppm")).write_bytes(b"P6\n%d %d\n255\n" % rgb.size + rgb.tobytes())


def saved(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def tiff_orientation(value, big_endian):
    order = ">" if big_endian else "<"
    entry = struct.pack(order + "HHI", 0x0112, 3, 1) + struct.pack(order + "HH", value, 0)
    return (b"MM\0*" if big_endian else b"II*\0") + struct.pack(order + "IH", 8, 1) + entry + b"\0\0\0\0"


def xmp_orientation(value):
    return f'<x:xmpmeta><rdf:Description tiff:Orientation="{value}"/></x:xmpmeta>'


def jpegs():
    rgb = smooth()
    put("gray.jpg", saved(smooth("L"), "JPEG"))
    for name, subsampling in {"444": 0, "422": 1, "420": 2}.items():
        put(f"rgb_{name}.jpg", saved(rgb, "JPEG", subsampling=subsampling, quality=90))
    put("rgb_low_quality.jpg", saved(rgb, "JPEG", quality=20))
    put("rgb_progressive.jpg", saved(rgb, "JPEG", progressive=True, quality=85))
    put("rgb_restart_markers.jpg", saved(rgb, "JPEG", restart_marker_blocks=1))
    put("rgb_untransformed.jpg", saved(rgb, "JPEG", keep_rgb=True))
    put("one_pixel.jpg", saved(smooth(width=1, height=1), "JPEG"))

    # Blocks two high share their colour: PIL cannot write this, but the factors of a 4:2:2 file of a suitable size can be
    # swapped in its frame header.
    wide = bytearray(saved(smooth(width=32, height=32), "JPEG", subsampling=1))
    frame = wide.index(b"\xff\xc0")
    assert wide[frame + 11] == 0x21
    wide[frame + 11] = 0x12
    put("rgb_440.jpg", bytes(wide))

    cmyk = bytearray(saved(smooth("CMYK"), "JPEG", quality=95))
    put("cmyk.jpg", bytes(cmyk))
    adobe = cmyk.index(b"Adobe")
    assert cmyk[adobe + 11] == 0
    cmyk[adobe + 11] = 2
    put("ycck.jpg", bytes(cmyk))

    for orientation in range(1, 9):
        exif = b"Exif\0\0" + tiff_orientation(orientation, orientation % 2 == 0)
        put(f"orientation_{orientation}.jpg", saved(rgb, "JPEG", exif=exif))
    put("orientation_xmp.jpg", saved(rgb, "JPEG", xmp=xmp_orientation(6).encode()))
    # Without the end marker; of this picture's data the decoder has all that it looks at.
    unended = saved(rgb, "JPEG", exif=b"Exif\0\0" + tiff_orientation(3, False))
    assert unended.endswith(b"\xff\xd9")
    put("no_end_marker.jpg", unended[:-2])


def raw_profile(name, data):
    """A profile in a PNG text, as ImageMagick writes it."""
    digits = data.hex()
    return f"\n{name}\n{len(data):8}\n" + "".join(digits[i:i + 72] + "\n" for i in range(0, len(digits), 72))


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def pack_row(samples, depth):
    if depth == 16:
        return b"".join(struct.pack(">H", s) for s in samples)
    bits = "".join(format(s, f"0{depth}b") for s in samples)
    bits += "0" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


def png(colour, depth, interlaced=False, extra=b"", limit=None):
    """A PNG of noise; `limit` bounds the samples (palette indices)."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    raw = noise(WIDTH * HEIGHT * channels * 2, colour * 31 + depth)
    pixels = [(raw[2 * i] << 8 | raw[2 * i + 1]) >> (16 - depth) for i in range(WIDTH * HEIGHT * channels)]
    if depth == 16 and colour in (0, 4):
        # Noise alone is nearly always above 255, where 16-bit gray saturates.
        pixels = [p % 300 if i % 2 else p for i, p in enumerate(pixels)]
    if limit:
        pixels = [p % limit for p in pixels]

    def rows(x0, y0, dx, dy):
        out = b""
        for y in range(y0, HEIGHT, dy):
            samples = [pixels[(y * WIDTH + x) * channels + c] for x in range(x0, WIDTH, dx) for c in range(channels)]
            if samples:
                out += b"\0" + pack_row(samples, depth)
        return out

    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    data = b"".join(rows(*p) for p in passes) if interlaced else rows(0, 0, 1, 1)
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, depth, colour, 0, 0, int(interlaced))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(data, 9)) +
            chunk(b"IEND", b""))


def pngs():
    for depth in (1, 2, 4, 8, 16):
        put(f"gray_{depth}.png", png(0, depth))
    put("gray_transparent.png", png(0, 8, extra=chunk(b"tRNS", b"\0\x10")))
    put("gray_1_interlaced.png", png(0, 1, interlaced=True))
    put("gray_16_interlaced.png", png(0, 16, interlaced=True))
    for depth in (8, 16):
        put(f"rgb_{depth}.png", png(2, depth))
        put(f"gray_alpha_{depth}.png", png(4, depth))
        put(f"rgba_{depth}.png", png(6, depth))
    put("rgb_transparent.png", png(2, 8, extra=chunk(b"tRNS", b"\0\1\0\2\0\3")))
    put("rgba_interlaced.png", png(6, 8, interlaced=True))
    for depth in (1, 2, 4, 8):
        colours = min(2**depth, 200)
        palette = chunk(b"PLTE", noise(colours * 3, 77))
        transparency = chunk(b"tRNS", noise(colours // 2, 78))
        put(f"palette_{depth}.png", png(3, depth, extra=palette + transparency, limit=colours))
    put("palette_interlaced.png", png(3, 4, interlaced=True, extra=chunk(b"PLTE", noise(48, 79))))
    put("palette_short.png", png(3, 4, extra=chunk(b"PLTE", noise(15, 80))))
    put("orientation_exif.png", png(2, 8, extra=chunk(b"eXIf", tiff_orientation(6, True))))
    # EXIF as it was stored before there was a chunk for it.
    profile = raw_profile("exif", b"Exif\0\0" + tiff_orientation(6, True)).encode()
    key = b"Raw profile type exif\0"
    put("orientation_raw_text.png", png(2, 8, extra=chunk(b"tEXt", key + profile)))
    put("orientation_raw_compressed.png", png(2, 8, extra=chunk(b"zTXt", key + b"\0" + zlib.compress(profile))))
    put("orientation_raw_international.png", png(2, 8, extra=chunk(b"iTXt", key + b"\0\0\0\0" + profile)))
    behind = png(2, 8)
    put("orientation_raw_behind.png", behind[:-12] + chunk(b"tEXt", key + profile) + behind[-12:])
    put("orientation_raw_beside_exif.png", png(2, 8, extra=chunk(b"tEXt", key + profile) +
                                               chunk(b"eXIf", tiff_orientation(3, True))))
    put("raw_profile_app1.png", png(2, 8, extra=chunk(b"tEXt", b"Raw profile type APP1\0" + profile)))
    text = PngImagePlugin.PngInfo()
    text.add_itxt("XML:com.adobe.xmp", xmp_orientation(8))
    put("orientation_xmp.png", saved(smooth(), "PNG", pnginfo=text))


def webps():
    put("lossy.webp", saved(smooth(), "WEBP", quality=80))
    put("lossy_alpha.webp", saved(smooth("RGBA"), "WEBP", quality=60, exact=True))
    put("lossless.webp", saved(smooth(), "WEBP", lossless=True))
    put("lossless_alpha.webp", saved(smooth("RGBA"), "WEBP", lossless=True, exact=True))
    put("orientation_exif.webp", saved(smooth(), "WEBP", quality=80, exif=tiff_orientation(5, False)))
    put("orientation_xmp.webp", saved(smooth(), "WEBP", lossless=True, xmp=xmp_orientation(3).encode()))
    frames = [smooth(), smooth().transpose(Image.Transpose.ROTATE_180)]
    put("animated.webp", saved(frames[0], "WEBP", save_all=True, append_images=frames[1:]))
    # The first frame on a canvas that is larger, at (4, 2): what the encoder does not write, but its chunks allow.
    small = saved(smooth("RGBA", 9, 7), "WEBP", lossless=True, exact=True)
    frame = b"".join(
        value.to_bytes(3, "little") for value in (4 // 2, 2 // 2, 9 - 1, 7 - 1, 40)) + b"\2" + riff_frame(small)
    extended = (b"VP8X" + struct.pack("<I", 10) + b"\x12\0\0\0" + (WIDTH - 1).to_bytes(3, "little") +
                (HEIGHT - 1).to_bytes(3, "little"))
    animation = b"ANIM" + struct.pack("<IIH", 6, 0xFF112233, 0)
    body = b"WEBP" + extended + animation + 2 * (b"ANMF" + struct.pack("<I", len(frame)) + frame)
    put("animated_offset.webp", b"RIFF" + struct.pack("<I", len(body)) + body)


def riff_frame(file):
    """The chunks of a still WebP picture that hold its pixels."""
    at, out = 12, b""
    while at < len(file):
        size = struct.unpack("<I", file[at + 4:at + 8])[0]
        whole = file[at:at + 8 + size + size % 2]
        if whole[:4] in (b"ALPH", b"VP8 ", b"VP8L"):
            out += whole
        at += len(whole)
    return out


def gif(pixels, bits, palette=None, local=None, screen=None, at=(0, 0), size=(WIDTH, HEIGHT), transparent=None,
        interlaced=False, tail=b"\0;"):
    """A GIF of one frame: palette indices of `bits` bits (2 to 8) row by row, palettes of 2**bits colours."""
    clear, width = 1 << bits, bits + 1
    rows = [pixels[y * size[0]:(y + 1) * size[0]] for y in range(size[1])]
    if interlaced:
        rows = [rows[y] for first, step in ((0, 8), (4, 8), (2, 4), (1, 2)) for y in range(first, size[1], step)]
    codes = []
    for i, index in enumerate(b"".join(rows)):
        # A clear code before the table would make codes longer.
        codes += [clear, index] if i % (clear - 2) == 0 else [index]
    number = sum(code << (i * width) for i, code in enumerate(codes + [clear + 1]))
    data = number.to_bytes((len(codes) + 1) * width // 8 + 1, "little")
    blocks = b"".join(bytes([len(data[i:i + 255])]) + data[i:i + 255] for i in range(0, len(data), 255))
    out = b"GIF89a" + struct.pack("<HHBBB", *(screen or size), (0x80 if palette else 0) | (bits - 1), 0, 0)
    out += palette or b""
    if transparent is not None:
        out += b"!\xf9\x04" + struct.pack("<BHBB", 1, 0, transparent, 0)
    out += b"," + struct.pack("<HHHHB", *at, *size, (0x80 if local else 0) | (0x40 if interlaced else 0) | (bits - 1))
    return out + (local or b"") + bytes([bits]) + blocks + tail


def gifs():
    indices = bytes(i % 16 for i in noise(WIDTH * HEIGHT, 90))
    palette, other = noise(48, 91), noise(48, 92)
    frames = [smooth().quantize(30), smooth().transpose(Image.Transpose.ROTATE_180).quantize(30)]
    put("animated.gif", saved(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    put("gray.gif", saved(smooth("L"), "GIF"))
    put("palette.gif", gif(indices, 4, palette))
    put("interlaced.gif", gif(indices, 4, palette, interlaced=True))
    put("local_palette.gif", gif(indices, 4, palette, local=other))
    put("no_palette.gif", gif(noise(WIDTH * HEIGHT, 93), 8))
    put("short_palette.gif", gif(indices, 4, palette)
        .replace(b"GIF89a" + struct.pack("<HHB", WIDTH, HEIGHT, 0x83), b"GIF89a" + struct.pack("<HHB", WIDTH, HEIGHT, 0x82))
        .replace(palette, palette[:24]))
    put("transparent.gif", gif(indices, 4, palette, transparent=5))
    put("offset.gif", gif(indices[:63], 4, palette, screen=(WIDTH, HEIGHT), at=(4, 2), size=(9, 7)))
    put("offset_transparent.gif", gif(indices[:63], 4, palette, screen=(WIDTH, HEIGHT), at=(4, 2), size=(9, 7),
                                      transparent=7))
    put("beyond_screen.gif", gif(indices, 4, palette, screen=(5, 4), at=(2, 1)))
    put("no_end.gif", gif(indices, 4, palette, tail=b""))


def resizes():
    """[height, width, new height, new width, hash]; the input is noise(height * width * 3, height * 1000 + width)."""
    cases = [(17, 23, 34, 46), (34, 46, 17, 23), (1, 1, 28, 28), (1, 90, 28, 56), (90, 1, 56, 28), (64, 64, 56, 56),
             (64, 64, 112, 112), (5, 200, 28, 28), (200, 5, 28, 28), (100, 100, 1, 1), (33, 47, 33, 47), (33, 47, 33, 28),
             (33, 47, 28, 47), (3, 3, 2, 2), (2, 2, 3, 3), (97, 101, 89, 103), (120, 160, 84, 112), (150, 113, 56, 28),
             (7, 300, 28, 560), (48, 48, 49, 47), (240, 10, 3, 140), (12, 18, 120, 6), (255, 255, 28, 252),
             (60, 40, 40, 30), (60, 40, 39, 30), (60, 40, 41, 30), (83, 33, 33, 9), (118, 87, 26, 40), (40, 60, 30, 90)]
    rows = []
    for height, width, new_height, new_width in cases:
        image = Image.frombytes("RGB", (width, height), noise(height * width * 3, height * 1000 + width))
        resized = image.resize((new_width, new_height), Image.Resampling.BICUBIC)
        rows.append([height, width, new_height, new_width, fnv(resized.tobytes())])
    (OUT / "resize.json").write_text("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")


if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    jpegs()
    pngs()
    webps()
    gifs()
    resizes()
