#include "eval/scoring/vectors.h"

#include <string>

#include "base/mapped_file.h"
#include "eval/scoring/functions.h"

namespace vlsi {

VectorCount run_vectors(const std::filesystem::path& path, std::ostream& out) {
  VectorCount count;
  const auto file = MappedFile::open(path);
  std::string_view rest = file->text();
  for (int64_t number = 1; !rest.empty(); ++number) {
    const auto line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    if (line.find_first_not_of(" \t\r") == line.npos) continue;
    const auto place = concat(path.string(), ", line ", number);
    const Json vector = parse_json(line, place);
    const auto name = require<std::string>(vector, "fn", place);
    if (!vector.contains("args") || !vector.contains("out")) fail(place, ": expected the keys 'fn', 'args' and 'out'");
    const auto result = call_scoring_function(name, vector["args"], place);
    const bool same = result && *result == vector["out"];
    OrderedJson answer{{"fn", name}, {"out", result ? OrderedJson(*result) : OrderedJson(nullptr)}, {"same", same}};
    if (!result) answer["error"] = "no such function";
    out << answer.dump() << "\n";
    ++count.total;
    count.same += same;
  }
  out << count.same << " of " << count.total << "\n";
  return count;
}

}  // namespace vlsi
