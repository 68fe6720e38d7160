// The documents: what they link to is there.
#include <gtest/gtest.h>

#include <cctype>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

namespace vlsi {
namespace {

namespace fs = std::filesystem;

const fs::path kRoot = VLSI_SOURCE_DIR;

/// The name under which a heading is linked to: small letters, digits, '-' and '_', blanks as '-'.
std::string anchor_of(const std::string& heading) {
  std::string anchor;
  for (const unsigned char c : heading) {
    if (std::isalnum(c) || c == '-' || c == '_') anchor += static_cast<char>(std::tolower(c));
    if (c == ' ') anchor += '-';
  }
  return anchor;
}

struct Document {
  std::set<std::string> anchors;
  std::vector<std::string> links;
};

/// Without blocks of code.
Document read_document(const fs::path& path) {
  static const std::regex heading("#+ +(.*)"), link(R"(\]\(([^)\s]+)\))");
  Document document;
  std::ifstream file(path);
  bool in_code = false;
  for (std::string line; std::getline(file, line);) {
    if (line.find("```") != line.npos) in_code = !in_code;
    if (in_code) continue;
    std::smatch match;
    if (std::regex_match(line, match, heading)) document.anchors.insert(anchor_of(match[1]));
    for (auto at = std::sregex_iterator(line.begin(), line.end(), link); at != std::sregex_iterator(); ++at) {
      document.links.push_back((*at)[1]);
    }
  }
  return document;
}

std::map<fs::path, Document> read_documents() {
  std::map<fs::path, Document> documents;
  for (const auto& folder : {kRoot, kRoot / "docs"}) {
    for (const auto& entry : fs::directory_iterator(folder)) {
      if (entry.path().extension() == ".md") documents[entry.path()] = read_document(entry.path());
    }
  }
  return documents;
}

TEST(Documents, LinkToFilesAndHeadingsThatAreThere) {
  const auto documents = read_documents();
  int num_links = 0;
  for (const auto& [path, document] : documents) {
    for (const auto& link : document.links) {
      if (link.starts_with("http")) continue;
      ++num_links;
      const auto hash = link.find('#');
      const auto target = hash == 0 ? path : (path.parent_path() / link.substr(0, hash)).lexically_normal();
      EXPECT_TRUE(fs::exists(target)) << path << ": " << link;
      if (hash == link.npos) continue;
      const auto linked = documents.find(target);
      EXPECT_TRUE(linked != documents.end() && linked->second.anchors.contains(link.substr(hash + 1)))
          << path << ": " << link;
    }
  }
  EXPECT_GT(num_links, 50);
}

TEST(Documents, HaveTheNamesThatOthersGiveToTheirHeadings) {
  EXPECT_EQ(anchor_of("Before a run: `vlsi plan`"), "before-a-run-vlsi-plan");
  EXPECT_EQ(anchor_of("metrics.jsonl"), "metricsjsonl");
}

}  // namespace
}  // namespace vlsi
