// The format against its own library's files, and every way in which a file can be wrong.
#include "base/safetensors.h"

#include <ATen/ATen.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <limits>

#include "base/atomic_file.h"
#include "base/json.h"
#include "tests/support/errors.h"
#include "tests/support/files.h"

namespace vlsi {
namespace {

namespace fs = std::filesystem;

std::string length_of(uint64_t bytes) {
  std::string length(8, '\0');
  for (size_t i = 0; i < 8; ++i) length[i] = static_cast<char>(bytes >> (8 * i) & 0xFF);
  return length;
}

std::string file_of(const std::string& header, size_t data_bytes) {
  return length_of(header.size()) + header + std::string(data_bytes, '\1');
}

/// One entry of a header, with its comma-separated parts as in JSON.
std::string entry(const std::string& name, const std::string& dtype, const std::string& shape,
                  const std::string& offsets) {
  return concat('"', name, "\":{\"dtype\":\"", dtype, "\",\"shape\":[", shape, "],\"data_offsets\":[", offsets, "]}");
}

/// What tests/oracle/make_safetensors_fixture.py writes to every_dtype.safetensors, in another order.
NamedTensors every_dtype() {
  const std::vector<std::pair<std::string, at::ScalarType>> dtypes = {
      {"bool", at::kBool},
      {"u8", at::kByte},
      {"i8", at::kChar},
      {"i16", at::kShort},
      {"u16", at::kUInt16},
      {"i32", at::kInt},
      {"u32", at::kUInt32},
      {"i64", at::kLong},
      {"u64", at::kUInt64},
      {"f16", at::kHalf},
      {"bf16", at::kBFloat16},
      {"f32", at::kFloat},
      {"f64", at::kDouble},
      {"f8_e4m3", at::kFloat8_e4m3fn},
      {"f8_e5m2", at::kFloat8_e5m2},
      {"c64", at::kComplexFloat},
  };
  NamedTensors tensors;
  for (size_t number = 0; number < dtypes.size(); ++number) {
    const auto& [name, dtype] = dtypes[number];
    const auto values = at::arange(static_cast<int64_t>(number), static_cast<int64_t>(number) + 3);
    tensors.emplace_back(name, dtype == at::kBool ? (values % 2).eq(1) : values.to(dtype));
  }
  // Transposed in memory, so that writing has to make it contiguous.
  tensors.emplace_back("z.matrix", at::tensor({0.F, 3.F, 1.F, 4.F, 2.F, 5.F}).reshape({3, 2}).t());
  tensors.emplace_back("a.scalar", at::scalar_tensor(2.5));
  tensors.emplace_back("empty", at::zeros({0, 4}));
  tensors.emplace_back("quote \" and \\ and é\n", at::ones(1));
  return tensors;
}

class Safetensors : public testing::Test {
 protected:
  /// The message for a file of these bytes, without its path.
  std::string message_for(const std::string& bytes) {
    write_file(path_, bytes);
    const std::string message = message_of([&] { SafetensorsFile::open(path_); });
    return message.starts_with(path_.string()) ? message.substr(path_.string().size()) : message;
  }
  std::string message_for_header(const std::string& header, size_t data_bytes) {
    return message_for(file_of(header, data_bytes));
  }
  std::string message_for_entry(const std::string& dtype, const std::string& shape, const std::string& offsets,
                                size_t data_bytes) {
    return message_for_header("{" + entry("a", dtype, shape, offsets) + "}", data_bytes);
  }
  void write_index(const Json& weight_map) {
    write_file(folder_ / "model.safetensors.index.json", Json{{"weight_map", weight_map}}.dump());
  }
  std::string checkpoint_message() const {
    const std::string message = message_of([&] { Checkpoint::open(folder_); });
    const std::string index = (folder_ / "model.safetensors.index.json").string();
    return message.starts_with(index) ? message.substr(index.size()) : message;
  }

  Folder own_;
  const fs::path folder_ = own_.path(), path_ = folder_ / "a.safetensors",
                 data_ = fs::path(VLSI_TEST_DATA) / "safetensors";
};

TEST_F(Safetensors, WritesTheBytesThatTheFormatsOwnLibraryWrites) {
  write_safetensors(path_, every_dtype());
  EXPECT_TRUE(MappedFile::open(path_)->text() == MappedFile::open(data_ / "every_dtype.safetensors")->text());
  write_safetensors(path_, {});
  EXPECT_TRUE(MappedFile::open(path_)->text() == MappedFile::open(data_ / "no_tensors.safetensors")->text());
}

TEST_F(Safetensors, ReadsTheFormatsOwnLibrarysFile) {
  const auto file = SafetensorsFile::open(data_ / "every_dtype.safetensors");
  const auto expected = every_dtype();
  EXPECT_EQ(file->tensors().size(), expected.size());
  EXPECT_EQ(file->metadata(), (std::map<std::string, std::string>{{"format", "pt"}}));
  for (const auto& [name, tensor] : expected) {
    SCOPED_TRACE(name);
    const auto found = file->tensor(name);
    ASSERT_EQ(found.scalar_type(), tensor.scalar_type());
    ASSERT_EQ(found.sizes(), tensor.sizes());
    EXPECT_TRUE(found.to(at::kComplexDouble).equal(tensor.to(at::kComplexDouble)));
  }
}

TEST_F(Safetensors, KeepsMetadata) {
  write_safetensors(path_, {{"a", at::ones(2)}}, {{"k", "v \"é\"\n"}});
  EXPECT_EQ(SafetensorsFile::open(path_)->metadata(),
            (std::map<std::string, std::string>{{"format", "pt"}, {"k", "v \"é\"\n"}}));
}

TEST_F(Safetensors, RefusesToWriteMetadataThatIsNotUtf8) {
  EXPECT_EQ(message_of([&] {
              write_safetensors(path_, {}, {{"k", "\xFF"}});
            }),
            "write " + path_.string() + ": a name or a metadata string is not UTF-8");
}

TEST_F(Safetensors, ViewsTheMapAndKeepsItAlive) {
  write_safetensors(path_, {{"a", at::arange(4.F)}, {"b", at::arange(2)}});
  at::Tensor a;
  {
    const auto file = SafetensorsFile::open(path_);
    a = file->tensor("a");
    EXPECT_EQ(a.const_data_ptr(), file->tensor("a").const_data_ptr());
  }
  fs::remove(path_);
  EXPECT_TRUE(a.equal(at::arange(4.F)));
}

TEST_F(Safetensors, CopiesATensorThatIsNotAligned) {
  const float value = 1.5F;
  std::string data(1, '\7');
  data.append(reinterpret_cast<const char*>(&value), sizeof value);
  const std::string header = "{" + entry("byte", "U8", "1", "0,1") + "," + entry("float", "F32", "1", "1,5") + "}";
  write_file(path_, length_of(header.size()) + header + data);
  const auto tensor = SafetensorsFile::open(path_)->tensor("float");
  EXPECT_EQ(reinterpret_cast<uintptr_t>(tensor.const_data_ptr()) % sizeof(float), 0u);
  EXPECT_EQ(tensor.item<float>(), 1.5F);
}

TEST_F(Safetensors, ReadsTensorsWithoutElements) {
  const std::string header = "{" + entry("a", "F32", "0,3", "0,0") + "," + entry("b", "U8", "2", "0,2") + "," +
                             entry("c", "F64", "4,0", "2,2") + "}";
  write_file(path_, file_of(header, 2));
  const auto file = SafetensorsFile::open(path_);
  EXPECT_EQ(file->tensor("a").sizes(), at::IntArrayRef({0, 3}));
  EXPECT_EQ(file->tensor("b").numel(), 2);
  EXPECT_EQ(file->tensor("c").sizes(), at::IntArrayRef({4, 0}));
}

TEST_F(Safetensors, OpensALargeFileWithoutReadingItsData) {
  const int64_t data_bytes = int64_t{5} << 30;
  const std::string count = std::to_string(data_bytes / 2);
  std::string header = "{" + entry("a", "BF16", count, "0," + std::to_string(data_bytes)) + "}";
  header.resize((header.size() + 7) / 8 * 8, ' ');  // aligned, as every writer leaves it
  write_file(path_, length_of(header.size()) + header);
  fs::resize_file(path_, 8 + header.size() + static_cast<uintmax_t>(data_bytes));  // a hole: takes no disk
  // Pages of the process in memory: resident, and of files.
  const auto resident_pages = [] {
    std::ifstream statm("/proc/self/statm");
    int64_t size = 0, resident = 0, of_files = 0;
    statm >> size >> resident >> of_files;
    return std::pair(resident - of_files, of_files);
  };
  const auto before = resident_pages();
  const auto file = SafetensorsFile::open(path_);
  const auto tensor = file->tensor("a");
  const auto after = resident_pages();
  EXPECT_EQ(tensor.numel(), data_bytes / 2);
  EXPECT_EQ(tensor[-1].item<float>(), 0.F);
  // 16 MiB, a three-hundredth of the data: room for what the allocator and the sanitizers take for themselves.
  const int64_t allowance = (16 << 20) / ::sysconf(_SC_PAGESIZE);
  EXPECT_LT(after.first - before.first, allowance);
  EXPECT_LT(after.second - before.second, allowance);
}

TEST_F(Safetensors, RefusesABadHeaderLength) {
  EXPECT_EQ(message_for(""), ": has 0 bytes, expected at least 8");
  EXPECT_EQ(message_for("1234567"), ": has 7 bytes, expected at least 8");
  EXPECT_EQ(message_for(length_of(0) + "{}"), ": header length is 0, expected 1 to 2 in a file of 10 bytes");
  EXPECT_EQ(message_for(length_of(3) + "{}"), ": header length is 3, expected 1 to 2 in a file of 10 bytes");
  EXPECT_EQ(message_for(std::string(8, '\xFF') + "{}"),
            ": header length is 18446744073709551615, expected 1 to 2 in a file of 10 bytes");
  write_file(path_, length_of(100'000'001) + "{}");
  fs::resize_file(path_, 200'000'000);
  EXPECT_EQ(message_of([&] { SafetensorsFile::open(path_); }),
            path_.string() + ": header length is 100000001, expected 1 to 100000000 in a file of 200000000 bytes");
}

TEST_F(Safetensors, RefusesAHeaderThatIsNotAnObject) {
  EXPECT_EQ(message_for_header("[]", 0), ": header does not begin with '{'");
  EXPECT_EQ(message_for_header(" {}", 0), ": header does not begin with '{'");
  EXPECT_EQ(message_for_header("{\"a\":1", 0).substr(0, 14), ": header:1:7: ");
  EXPECT_EQ(message_for_header("{\"a\":1}", 0), ": tensor \"a\": is an integer, expected an object with key 'dtype'");
  EXPECT_EQ(message_for_header("{}  ", 0), "no error");
}

TEST_F(Safetensors, RefusesDuplicateNames) {
  const std::string one = entry("a", "U8", "1", "0,1");
  EXPECT_EQ(message_for_header("{" + one + "," + entry("a", "U8", "1", "1,2") + "}", 2),
            ": header:1:56: key \"a\" stands twice");
  EXPECT_EQ(message_for_header("{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1),
            ": header:1:26: key \"dtype\" stands twice");
}

TEST_F(Safetensors, RefusesInvalidUtf8) {
  EXPECT_NE(message_for_header("{" + entry("\xFF", "U8", "1", "0,1") + "}", 1).find("UTF-8"), std::string::npos);
}

TEST_F(Safetensors, RefusesBadMetadata) {
  EXPECT_EQ(message_for_header("{\"__metadata__\":{\"a\":1}}", 0),
            ": \"__metadata__\": value of \"a\" is an integer, expected a string");
  EXPECT_EQ(message_for_header("{\"__metadata__\":[]}", 0), ": \"__metadata__\": is an array, expected an object");
}

TEST_F(Safetensors, RefusesMissingAndMistypedParts) {
  EXPECT_EQ(message_for_header("{\"a\":{\"shape\":[],\"data_offsets\":[0,1]}}", 1),
            ": tensor \"a\": key 'dtype' is missing");
  EXPECT_EQ(message_for_header("{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,1]}}", 1),
            ": tensor \"a\": key 'shape' is missing");
  EXPECT_EQ(message_for_header("{\"a\":{\"dtype\":\"U8\",\"shape\":[]}}", 1),
            ": tensor \"a\": key 'data_offsets' is missing");
  EXPECT_EQ(message_for_entry("U8", "1.0", "0,1", 1), ": tensor \"a\": key 'shape[0]' is 1.0, expected an integer");
  EXPECT_EQ(message_for_entry("U8", "1", "0,1,2", 1), ": tensor \"a\": data_offsets has 3 numbers, expected 2");
  EXPECT_EQ(message_for_entry("F4", "1", "0,1", 1), ": tensor \"a\": unknown dtype \"F4\"");
}

TEST_F(Safetensors, RefusesShapesThatDoNotFitTheirOffsets) {
  EXPECT_EQ(message_for_entry("F32", "2", "0,4", 4),
            ": tensor \"a\": data_offsets span 4 bytes, expected 8 from dtype and shape");
  EXPECT_EQ(message_for_entry("U8", "-1,-1", "0,1", 1), ": tensor \"a\": shape has the negative size -1");
  EXPECT_EQ(message_for_entry("U8", "4294967296,4294967296", "0,0", 0), ": tensor \"a\": size of the shape overflows");
  EXPECT_EQ(message_for_entry("F32", "4611686018427387905", "0,4", 4), ": tensor \"a\": size of the shape overflows");
  EXPECT_EQ(message_for_entry("U8", "0,9223372036854775807,2", "0,0", 0),
            ": tensor \"a\": size of the shape overflows");
  EXPECT_EQ(
      message_for_entry("U8", "18446744073709551615", "0,1", 1),
      ": tensor \"a\": key 'shape[0]' is 18446744073709551615, expected an integer of at most 9223372036854775807");
  std::string shape = "1";
  for (int i = 0; i < 64; ++i) shape += ",1";
  EXPECT_EQ(message_for_entry("U8", shape, "0,1", 1), ": tensor \"a\": has 65 dimensions, expected at most 64");
}

TEST_F(Safetensors, RefusesOffsetsOutsideTheFile) {
  const std::string tail = ", expected an ascending pair within the 2 bytes of data";
  EXPECT_EQ(message_for_entry("U8", "3", "0,3", 2),
            ": tensor \"a\": data_offsets are [0, 3]" + tail + "; the file may be cut off");
  EXPECT_EQ(message_for_entry("U8", "1", "2,1", 2), ": tensor \"a\": data_offsets are [2, 1]" + tail);
  EXPECT_EQ(message_for_entry("U8", "2", "-1,1", 2), ": tensor \"a\": data_offsets are [-1, 1]" + tail);
  EXPECT_EQ(message_for_entry("U8", "1", "9223372036854775806,9223372036854775807", 2),
            ": tensor \"a\": data_offsets are [9223372036854775806, 9223372036854775807]" + tail +
                "; the file may be cut off");
}

TEST_F(Safetensors, RefusesOverlapsGapsAndTrailingBytes) {
  const auto two = [&](const std::string& offsets) {
    return "{" + entry("a", "U8", "2", "0,2") + "," + entry("b", "U8", "2", offsets) + "}";
  };
  EXPECT_EQ(message_for_header(two("1,3"), 3),
            ": tensor \"b\": begins at offset 1, which leaves an overlap; expected 2");
  EXPECT_EQ(message_for_header(two("0,2"), 2),
            ": tensor \"b\": begins at offset 0, which leaves an overlap; expected 2");
  EXPECT_EQ(message_for_header(two("3,5"), 5), ": tensor \"b\": begins at offset 3, which leaves a gap; expected 2");
  EXPECT_EQ(message_for_header(two("2,4"), 5), ": 1 bytes after the last tensor, expected none");
  EXPECT_EQ(message_for_header("{}", 1), ": 1 bytes after the last tensor, expected none");
  EXPECT_EQ(message_for_header(two("2,4"), 4), "no error");
  EXPECT_EQ(message_for_entry("U8", "1", "1,2", 2),
            ": tensor \"a\": begins at offset 1, which leaves a gap; expected 0");
}

TEST_F(Safetensors, CheckpointOpensASingleFile) {
  write_safetensors(folder_ / "model.safetensors", {{"b", at::ones(2)}, {"a", at::zeros(3)}});
  const auto checkpoint = Checkpoint::open(folder_);
  EXPECT_EQ(checkpoint.names(), (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(checkpoint.contains("a"));
  EXPECT_FALSE(checkpoint.contains("c"));
  EXPECT_EQ(checkpoint.info("a").shape, std::vector<int64_t>{3});
  EXPECT_TRUE(checkpoint.tensor("b").equal(at::ones(2)));
}

TEST_F(Safetensors, CheckpointOpensTheShardsOfAnIndex) {
  write_safetensors(folder_ / "1.safetensors", {{"a", at::ones(2)}});
  write_safetensors(folder_ / "2.safetensors", {{"b", at::zeros(2)}});
  write_index({{"a", "1.safetensors"}, {"b", "2.safetensors"}});
  const auto checkpoint = Checkpoint::open(folder_);
  EXPECT_EQ(checkpoint.names(), (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(checkpoint.tensor("b").equal(at::zeros(2)));
}

TEST_F(Safetensors, CheckpointListsAllProblemsAtOnce) {
  write_safetensors(folder_ / "1", {{"a", at::ones(1)}, {"both", at::ones(1)}, {"moved", at::ones(1)}});
  write_safetensors(folder_ / "2", {{"both", at::ones(1)}, {"extra", at::ones(1)}});
  write_index({{"a", "1"}, {"both", "2"}, {"moved", "2"}, {"absent", "2"}, {"lost", "3"}, {"number", 4}});
  EXPECT_EQ(checkpoint_message(),
            ": shard of tensor \"number\" is an integer, expected a file name; open " + (folder_ / "3").string() +
                ": No such file or directory; tensor \"both\" is in both 1 and 2; tensor \"extra\" of 2 is not in the "
                "index; tensor \"absent\" is not in 2; tensor \"moved\" is not in 2 but in 1");
}

TEST_F(Safetensors, CheckpointRefusesShardsOutsideItsDirectory) {
  for (const char* file : {"../x", "/etc/passwd", "a/b", "..", ".", "", "a\nb"}) {
    write_index({{"a", file}});
    EXPECT_EQ(checkpoint_message(), ": shard " + Json(file).dump() + " is not a plain file name");
  }
}

TEST_F(Safetensors, CheckpointRefusesADirectoryWithoutWeights) {
  EXPECT_EQ(checkpoint_message(),
            "open model " + folder_.string() + ": has neither model.safetensors nor model.safetensors.index.json");
  write_file(folder_ / "model.safetensors.index.json", "{}");
  EXPECT_EQ(checkpoint_message(), ": key 'weight_map' is missing");
  write_index(Json::array());
  EXPECT_EQ(checkpoint_message(), ": key 'weight_map' is an array, expected an object");
}

TEST_F(Safetensors, CheckpointNamesADamagedShardAmongItsOtherProblems) {
  write_safetensors(folder_ / "1", {{"a", at::ones(4)}});
  write_safetensors(folder_ / "2", {{"b", at::ones(4)}});
  write_index({{"a", "1"}, {"b", "2"}, {"c", "2"}, {"d", "3"}});
  fs::resize_file(folder_ / "1", fs::file_size(folder_ / "1") - 1);
  write_file(folder_ / "3", length_of(100'000'000'000) + "12345678");
  const auto text = checkpoint_message();
  for (const std::string part : {"data_offsets are [0, 16], expected an ascending pair within the 15 bytes",
                                 "header length is 100000000000, expected 1 to 8", "tensor \"c\" is not in 2"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << " in: " << text;
  }
}

}  // namespace
}  // namespace vlsi
