#include "generate/draft.h"

#include <algorithm>
#include <iomanip>
#include <sstream>

namespace vlsi {

DraftCounts& DraftCounts::operator+=(const DraftCounts& other) {
  passes += other.passes;
  drafted += other.drafted;
  accepted += other.accepted;
  return *this;
}

std::string describe(const DraftCounts& counts) {
  std::ostringstream text;
  const auto passes = static_cast<double>(std::max<int64_t>(1, counts.passes));
  text << std::fixed << std::setprecision(2) << static_cast<double>(counts.passes + counts.accepted) / passes
       << " tokens a pass, " << counts.accepted << " of " << counts.drafted << " drafted ones accepted";
  return text.str();
}

}  // namespace vlsi
