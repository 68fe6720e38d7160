"""Parquet files as data sets have them, with each file's rows as JSON beside it, and files that are to be refused. Made with
pyarrow 26.0.1.

    python tests/oracle/make_parquet_fixtures.py                       writes tests/data/parquet/
    python tests/oracle/make_parquet_fixtures.py PROGRAM [NUMBER]      compares what build/*/tests/print_records prints of NUMBER
                                                                       drawn files (default 500) with what pyarrow reads
"""
import base64
import datetime
import decimal
import json
import pathlib
import random
import struct
import subprocess
import sys
import tempfile
import zlib

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe

OUT = pathlib.Path(__file__).resolve().parent.parent / "data" / "parquet"
PICTURE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def plain(value, kind):
    """A value of to_pylist as JSON: bytes in base64, maps as lists of {key, value}, times and decimals as texts."""
    if value is None:
        return None
    if pa.types.is_dictionary(kind):
        return plain(value, kind.value_type)
    if pa.types.is_struct(kind):
        return {kind.field(i).name: plain(value[kind.field(i).name], kind.field(i).type) for i in range(kind.num_fields)}
    if pa.types.is_map(kind):
        return [{"key": plain(key, kind.key_type), "value": plain(item, kind.item_type)} for key, item in value]
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return [plain(one, kind.value_type) for one in value]
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    if isinstance(value, float) and value != value:
        return None
    if isinstance(value, (datetime.date, datetime.datetime, datetime.time, decimal.Decimal)):
        return pa.scalar(value, kind).cast(pa.string()).as_py()
    return value


def rows_of(path):
    table = pq.read_table(path)
    columns = [[plain(value, column.type) for value in column.to_pylist()] for column in table.columns]
    return [dict(zip(table.column_names, row)) for row in zip(*columns)]


def put(name, table, **options):
    path = OUT / (name + ".parquet")
    pq.write_table(table, path, **options)
    with open(OUT / (name + ".json"), "w", encoding="utf-8") as file:
        json.dump(rows_of(path), file, ensure_ascii=False, indent=0)


def png(red, green, blue, side=4):
    """A square picture of one colour."""
    def part(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    lines = (b"\0" + bytes((red, green, blue)) * side) * side
    return (b"\x89PNG\r\n\x1a\n" + part(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)) +
            part(b"IDAT", zlib.compress(lines, 9)) + part(b"IEND", b""))


def picture(number, path=None):
    return {"bytes": png(40 * number % 256, 90, 7 * number % 256), "path": path}


def make_conversations():
    turn = pa.struct([("from", pa.string()), ("value", pa.string())])
    schema = pa.schema([("id", pa.string()), ("image", PICTURE), ("conversations", pa.list_(turn)), ("data_source", pa.string())])
    def talk(*values):
        return [{"from": ("human", "gpt")[i % 2], "value": value} for i, value in enumerate(values)]
    rows = [
        {"id": "a", "image": picture(1, "a.png"), "conversations": talk("<image>\nWhat colour?", "red"), "data_source": "one"},
        {"id": "b", "image": picture(2), "conversations": talk("<image>\nAnd this?", "blue", "Sure?", "yes"), "data_source": "one"},
        {"id": "c", "image": None, "conversations": talk("No picture: äöü 漢字 🙂?", "none"), "data_source": None},
        {"id": "d", "image": {"bytes": None, "path": "d.png"}, "conversations": talk("<image>\nIn a file?", "yes"), "data_source": "two"},
        {"id": "e", "image": {"bytes": None, "path": None}, "conversations": talk("Neither?", "neither"), "data_source": "two"},
    ]
    put("conversations", pa.Table.from_pylist(rows, schema), compression="zstd", row_group_size=2)


def make_texts():
    text = pa.struct([("user", pa.string()), ("assistant", pa.string())])
    schema = pa.schema([("images", pa.list_(PICTURE)), ("texts", pa.list_(text)), ("source", pa.string()),
                        ("relevance_ratings", pa.list_(pa.int64())), ("relevance_min", pa.int64())])
    rows = [
        {"images": [picture(1)], "texts": [{"user": "What is it?", "assistant": "A square."}, {"user": "Its colour?", "assistant": "Red."}],
         "source": "drawn", "relevance_ratings": [5, 3], "relevance_min": 3},
        {"images": [picture(2), picture(3)], "texts": [{"user": "Same?", "assistant": "No."}],
         "source": "drawn", "relevance_ratings": [None], "relevance_min": None},
        {"images": [], "texts": [{"user": "2 + 2?", "assistant": "4"}], "source": "plain", "relevance_ratings": [], "relevance_min": 1},
    ]
    put("texts", pa.Table.from_pylist(rows, schema), compression="snappy", data_page_version="2.0")


def make_questions():
    schema = pa.schema([("image_id", PICTURE), ("mode", pa.string()), ("case_id", pa.large_string()), ("question", pa.string()),
                        ("answer", pa.string())])
    rows = [{"image_id": picture(i), "mode": "CT", "case_id": f"case{i // 2}", "question": f"Question {i}?", "answer": f"answer {i}"}
            for i in range(7)]
    put("questions", pa.Table.from_pylist(rows, schema), compression="gzip", row_group_size=3)


def make_benchmark():
    """As rows of MMStar, MMMU and HallusionBench are."""
    schema = pa.schema([("index", pa.int64()), ("question", pa.string()), ("image", PICTURE), ("answer", pa.string()),
                        ("category", pa.string()), ("l2_category", pa.string())])
    rows = [{"index": i, "question": f"Which?\nOptions: A: cat, B: dog, C: fish, D: bird", "image": picture(i, f"{i}.png"),
             "answer": "ABCD"[i % 4], "category": "math", "l2_category": "geometry"} for i in range(4)]
    put("mmstar", pa.Table.from_pylist(rows, schema), compression="none", row_group_size=3)
    schema = pa.schema([("id", pa.string()), ("question", pa.string()), ("options", pa.string()), ("image_1", PICTURE),
                        ("image_2", PICTURE), ("image_3", PICTURE), ("answer", pa.string()), ("question_type", pa.string())])
    rows = [{"id": "validation_Art_1", "question": "Is <image 2> or <image 1> a cat?", "options": "['the first', 'the second']",
             "image_1": picture(1, "1.png"), "image_2": picture(2, "2.png"), "image_3": None, "answer": "B",
             "question_type": "multiple-choice"}]
    put("mmmu", pa.Table.from_pylist(rows, schema))
    schema = pa.schema([(name, pa.string()) for name in ("category", "subcategory", "set_id", "figure_id", "question_id", "question",
                                                         "gt_answer", "filename")] + [("image", PICTURE)])
    rows = [dict(zip(schema.names, ("VD", "chart", "0", "1", "0", "Is it red?", "1", "./VD/chart/0_1.png", picture(3)))),
            dict(zip(schema.names, ("VS", "chart", "0", "0", "0", "Is it?", "0", None, None)))]
    put("hallusion_bench", pa.Table.from_pylist(rows, schema))


def make_options():
    """A table's columns with what pandas writes for no value, a number for a category, and answers that are lists."""
    nan = float("nan")
    put("options", pa.table({"index": [1, 2], "hint": pa.array([nan, nan], pa.float64()), "question": ["Which?", "How many?"],
                             "A": ["cat", "N/A"], "B": ["None", "nan"], "C": pa.array([nan, 2.5], pa.float32()), "answer": ["A", "2.5"],
                             "category": [3, 4]}))
    put("answer_lists", pa.table({"question": ["Which?"], "answer": [["a", "b"]]}))


def make_types():
    kinds = {
        "bool": (pa.bool_(), [True, False, None]), "int8": (pa.int8(), [-128, 127, None]), "uint64": (pa.uint64(), [0, 2**64 - 1, None]),
        "int64": (pa.int64(), [-2**63, 2**63 - 1, None]), "half": (pa.float16(), [0.5, -2.0, None]),
        "float": (pa.float32(), [0.10000000149011612, float("nan"), None]), "double": (pa.float64(), [0.1, 1e300, None]),
        "text": (pa.string(), ["", "ä\n\t\"漢", None]), "large_text": (pa.large_string(), ["x" * 30, "y", None]),
        "bytes": (pa.binary(), [b"\x00\xff", b"", None]), "fixed": (pa.binary(2), [b"ab", b"\xff\xfe", None]),
        "dictionary": (pa.dictionary(pa.int32(), pa.string()), ["same", "same", None]), "nothing": (pa.null(), [None, None, None]),
        "large_list": (pa.large_list(pa.int32()), [[1, None, 3], [], None]), "pair": (pa.list_(pa.float32(), 2), [[1, 2], [3, 4], [5, 6]]),
        "deep": (pa.list_(pa.list_(pa.struct([("a", pa.struct([("b", pa.list_(pa.string()))]))]))),
                 [[[{"a": {"b": ["x", None]}}, None], None, []], None, [[{"a": None}, {"a": {"b": []}}]]]),
        "map": (pa.map_(pa.string(), pa.int32()), [[("k", 1), ("l", None)], [], None]),
        "decimal": (pa.decimal128(10, 2), [decimal.Decimal("1.50"), decimal.Decimal("-0.01"), None]),
        "day": (pa.date32(), [datetime.date(2026, 1, 2), datetime.date(1969, 12, 31), None]),
        "time": (pa.timestamp("us"), [datetime.datetime(2026, 1, 2, 3, 4, 5), datetime.datetime(1960, 1, 1), None]),
    }
    schema = pa.schema([(name, kind) for name, (kind, _) in kinds.items()])
    table = pa.Table.from_arrays([pa.array(values, kind) for kind, values in kinds.values()], schema=schema)
    put("types", table, compression="none", row_group_size=2)


def make_pages():
    """Many small pages; dictionaries that are given up; chunks that begin elsewhere in each column; a group of one row."""
    texts = [f"text {i % 7} " + "z" * (i % 5) for i in range(150)]
    lists = [None if i % 11 == 0 else [j * i for j in range(i % 4)] for i in range(150)]
    table = pa.table({"text": pa.chunked_array([texts[:3], texts[3:100], texts[100:]]),
                      "list": pa.chunked_array([pa.array(lists[:70], pa.list_(pa.int32())), pa.array(lists[70:], pa.list_(pa.int32()))])})
    put("pages", table, compression={"text": "zstd", "list": "snappy"}, row_group_size=149, data_page_size=64,
        dictionary_pagesize_limit=32, write_batch_size=8, write_page_index=True)


def make_zeros():
    """Groups of 64 MiB that take a few kilobytes: each of them is decoded in pieces."""
    picture = bytes(16 << 20)
    groups = [pa.table({"image": pa.array([picture] * 4, pa.binary()), "question": [f"{4 * group + i}?" for i in range(4)],
                        "answer": ["a"] * 4}) for group in range(8)]
    with pq.ParquetWriter(OUT / "zeros.parquet", groups[0].schema, compression="zstd", compression_level=19, use_dictionary=False,
                          write_statistics=False, write_batch_size=1) as writer:
        for group in groups:
            writer.write_table(group)


class Keys(pe.KmsClient):
    """Wraps keys in nothing."""

    def __init__(self, _):
        super().__init__()

    def wrap_key(self, key, _):
        return base64.b64encode(key)

    def unwrap_key(self, key, _):
        return base64.b64decode(key)


def make_refused():
    def write(name, table, **options):
        pq.write_table(table, OUT / (name + ".parquet"), **options)

    questions = pa.table({"question": ["a?", "b?"], "answer": ["a", "b"]})
    write("twice", pa.Table.from_arrays([pa.array(["x"]), pa.array(["y"])], names=["question", "question"]))
    write("empty", questions.slice(0, 0))
    write("other_columns", pa.table({"prompt": ["a?"], "reply": ["a"]}))
    write("wrong_types", pa.table({"conversations": [[1, 2]], "image": [3]}))
    write("no_bytes", pa.Table.from_pylist([{"image": {"bytes": b"", "path": "a.png"}, "question": "a?", "answer": "a"}],
                                           pa.schema([("image", PICTURE), ("question", pa.string()), ("answer", pa.string())])))
    factory = pe.CryptoFactory(Keys)
    for name, plaintext in (("encrypted", False), ("encrypted_column", True)):
        configuration = pe.EncryptionConfiguration(footer_key="footer", column_keys={"column": ["answer"]}, plaintext_footer=plaintext)
        properties = factory.file_encryption_properties(pe.KmsConnectionConfig(), configuration)
        with pq.ParquetWriter(OUT / (name + ".parquet"), questions.schema, encryption_properties=properties) as writer:
            writer.write_table(questions)
    # Sizes that cannot be: 77 rows and values are numbers of more digits in the footer.
    write("rows", pa.table({"question": pa.array([str(i) for i in range(77)])}), compression="none", use_dictionary=False,
          store_schema=False, write_statistics=False)
    data = (OUT / "rows.parquet").read_bytes()
    size = struct.unpack("<I", data[-8:-4])[0]
    body, footer = data[:-8 - size], data[-8 - size:-8]
    number, absurd = b"\x16\x9a\x01", b"\x16\x9a\xf0\xff\xff\xff\xff\x7f"  # the 64-bit integer 77 of Thrift's compact protocol
    assert footer.count(number) >= 3
    footer = footer.replace(number, absurd)
    (OUT / "absurd_rows.parquet").write_bytes(body + footer + struct.pack("<I", len(footer)) + b"PAR1")
    (OUT / "rows.parquet").unlink()


def drawn_kind(draw, depth=0):
    leaves = [pa.bool_(), pa.int32(), pa.uint8(), pa.int64(), pa.float32(), pa.float64(), pa.string(), pa.large_string(), pa.binary(),
              pa.dictionary(pa.int16(), pa.string()) if depth == 0 else pa.string(), PICTURE]
    if depth > 2 or draw.random() < 0.6:
        return draw.choice(leaves)
    inner = drawn_kind(draw, depth + 1)
    return draw.choice([pa.list_(inner), pa.large_list(inner), pa.struct([("x", inner), ("y", drawn_kind(draw, depth + 1))]),
                        pa.map_(pa.string(), inner)])


def drawn_value(draw, kind):
    if draw.random() < 0.15:
        return None
    if pa.types.is_struct(kind):
        return {kind.field(i).name: drawn_value(draw, kind.field(i).type) for i in range(kind.num_fields)}
    if pa.types.is_map(kind):
        return [(str(i), drawn_value(draw, kind.item_type)) for i in range(draw.choice([0, 1, 3]))]
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return [drawn_value(draw, kind.value_type) for _ in range(draw.choice([0, 1, 1, 2, 5]))]
    if pa.types.is_boolean(kind):
        return draw.random() < 0.5
    if pa.types.is_integer(kind):
        return draw.choice([0, 1, 7, 255])
    if pa.types.is_floating(kind):
        return draw.choice([0.0, -1.5, 1e30, float("nan")])
    if pa.types.is_binary(kind):
        return draw.randbytes(draw.choice([0, 1, 3, 3, 300]))
    return draw.choice(["", "a", "same text", "äö漢🙂", "x" * draw.randrange(200)])


def write_drawn(draw, path):
    columns = {f"c{i}": drawn_kind(draw) for i in range(draw.randint(1, 6))}
    schema = pa.schema(list(columns.items()))
    pieces = []
    for _ in range(draw.randint(1, 3)):
        length = draw.choice([1, 3, 40])
        pieces.append(pa.Table.from_arrays([pa.array([drawn_value(draw, kind) for _ in range(length)], kind)
                                            for kind in columns.values()], schema=schema))
    pq.write_table(pa.concat_tables(pieces), path, compression=draw.choice(["none", "snappy", "gzip", "zstd", "brotli", "lz4"]),
                   use_dictionary=draw.random() < 0.5, data_page_version=draw.choice(["1.0", "2.0"]),
                   version=draw.choice(["1.0", "2.4", "2.6"]), row_group_size=draw.choice([1, 2, 17, 1000]),
                   data_page_size=draw.choice([16, 200, 10**6]), dictionary_pagesize_limit=draw.choice([8, 10**6]),
                   write_batch_size=draw.choice([1, 8, 1024]), store_schema=draw.random() < 0.5,
                   use_compliant_nested_type=draw.random() < 0.5, write_page_index=draw.random() < 0.5,
                   write_page_checksum=draw.random() < 0.5)


def compare(program, number):
    draw = random.Random(1)
    num_rows = num_refused = 0
    with tempfile.TemporaryDirectory() as folder:
        for i in range(number):
            path = pathlib.Path(folder) / "drawn.parquet"
            write_drawn(draw, path)
            run = subprocess.run([program, path], capture_output=True, text=True)
            try:
                expected = rows_of(path)
            except (pa.ArrowInvalid, OSError):  # pyarrow does not read some of what it writes: maps with pages of a few bytes
                assert run.returncode == 2 and path.name in run.stderr, run
                num_refused += 1
                continue
            if run.returncode != 0:
                sys.exit(f"file {i}: {run.stderr}")
            printed = run.stdout.splitlines()
            found = [json.loads(line) for line in printed]
            if found != expected:
                different = [j for j, (a, b) in enumerate(zip(found, expected)) if a != b]
                kept = pathlib.Path("different.parquet").absolute()
                kept.write_bytes(path.read_bytes())
                sys.exit(f"file {i}, kept as {kept}: {len(found)} rows, expected {len(expected)}; rows {different[:5]} differ")
            num_rows += len(expected)
    print(f"{number} files, {num_rows} rows: all alike; {num_refused} files that neither reads")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        compare(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 500)
    else:
        OUT.mkdir(exist_ok=True)
        for make in (make_conversations, make_texts, make_questions, make_benchmark, make_options, make_types, make_pages, make_zeros, make_refused):
            make()
