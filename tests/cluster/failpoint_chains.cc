#include "tests/cluster/failpoint_chains.h"

#include <algorithm>
#include <limits>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace lockstep::testing_support {
namespace {

size_t SizeOf(const std::map<std::string, std::set<std::string>>& pairs) {
  size_t size = 0;
  for (const auto& [first, seconds] : pairs) size += seconds.size();
  return size;
}

}  // namespace

std::string TextOf(const NodeChain& it) {
  return absl::StrCat(
      it.node, ":",
      absl::StrJoin(it.chain, ",", [](std::string* out, const FailpointName& failpoint) {
        absl::StrAppend(out, failpoint.name);
      }));
}

NodeChain ParseChain(const std::string& text) {
  const std::vector<std::string> parts = absl::StrSplit(text, ':');
  NodeChain parsed;
  if (parts.size() != 2 || !absl::SimpleAtoi(parts[0], &parsed.node)) return {};
  const Chain all = AllFailpoints();
  for (const absl::string_view name : absl::StrSplit(parts[1], ',')) {
    const auto found = std::find_if(all.begin(), all.end(), [&](const FailpointName& failpoint) {
      return failpoint.name == name;
    });
    if (found == all.end()) return {};
    parsed.chain.push_back(*found);
  }
  return parsed;
}

FailpointPairs::FailpointPairs(Chain points, uint64_t seed)
    : points_(std::move(points)), random_(seed) {}

FailpointName FailpointPairs::Draw(const std::string& first) {
  Names& tried = tried_[first];
  Chain fresh = points_;
  std::erase_if(fresh, [&](const FailpointName& point) { return tried.contains(point.name); });
  if (fresh.empty()) fresh = points_;
  Chain wanted = fresh;
  if (random_() % 2 == 0) {
    std::erase_if(wanted,
                  [&](const FailpointName& point) { return !passed_.contains(point.name); });
  } else {
    int least = std::numeric_limits<int>::max();
    for (const FailpointName& point : fresh) least = std::min(least, drawn_[point.name]);
    std::erase_if(wanted, [&](const FailpointName& point) { return drawn_[point.name] > least; });
  }
  if (wanted.empty()) wanted = fresh;
  const FailpointName& drawn = wanted[random_() % wanted.size()];
  tried.insert(drawn.name);
  ++drawn_[drawn.name];
  return drawn;
}

void FailpointPairs::Met(const std::string& first, const std::string& second) {
  tried_[first].insert(second);
  met_[first].insert(second);
  passed_.insert(second);
}

Chain FailpointPairs::InOrderOfNeed() {
  Chain ordered = points_;
  std::shuffle(ordered.begin(), ordered.end(), random_);
  std::stable_sort(ordered.begin(), ordered.end(),
                   [this](const FailpointName& one, const FailpointName& other) {
                     return tried_[one.name].size() < tried_[other.name].size();
                   });
  return ordered;
}

std::string FailpointPairs::Report() const {
  std::string report = absl::StrCat(
      "pairs tried: ", SizeOf(tried_), " of ", points_.size() * points_.size(), ", ", SizeOf(met_),
      " of them met in a recovery; met in some recovery: ", passed_.size(),
      " failpoints, and not:");
  for (const FailpointName& point : points_) {
    if (!passed_.contains(point.name)) absl::StrAppend(&report, " ", point.name);
  }
  return report;
}

}  // namespace lockstep::testing_support
