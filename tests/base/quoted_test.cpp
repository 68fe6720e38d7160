#include "base/quoted.h"

#include <gtest/gtest.h>

namespace vlsi {
namespace {

TEST(Quoted, StaysOnOneLine) {
  EXPECT_EQ(quoted("a \"b\"\n\x1b"
                   "é"),
            "\"a \\\"b\\\"\\n\\u001bé\"");
}

TEST(WithEscapes, ShowsBytesThatAreNotUtf8) {
  EXPECT_EQ(with_escapes("é中\xff\xc3 a\xe4\xb8"), "é中\\xff\\xc3 a\\xe4\\xb8");
  EXPECT_EQ(with_escapes("a\n\x1b"), "a\n\x1b");
}

TEST(Printable, ShowsControlCharactersToo) {
  EXPECT_EQ(printable("\x1b[2J\x7f\n"), "\\x1b[2J\\x7f\\x0a");
  EXPECT_EQ(printable("\xc2\x9b"), "\\xc2\\x9b") << "the one-character form of the escape";
  EXPECT_EQ(printable("é 中\xff"), "é 中\\xff");
}

TEST(Printable, SaysOfAFileWhatTheSystemSays) {
  const std::filesystem::filesystem_error error("opening", "runs/a\nb",
                                                std::make_error_code(std::errc::permission_denied));
  EXPECT_EQ(printable(error), "runs/a\\x0ab: Permission denied");
}

}  // namespace
}  // namespace vlsi
