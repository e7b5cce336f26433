#include "tests/cluster/list_archive.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"

namespace lockstep::testing_support {

void ListArchive::Keep(const std::string& list, Elements elements) {
  lists_[list] = std::move(elements);
  if (lists_.size() <= most_) return;
  auto any = lists_.begin();
  std::advance(any, random_() % lists_.size());
  lists_.erase(any);
}

std::string ListArchive::Compare(const std::string& list, const Elements& now) const {
  const Elements& then = lists_.at(list);
  if (now == then) return "";
  const auto [was, is] = std::mismatch(then.begin(), then.end(), now.begin(), now.end());
  return absl::StrCat("list ", list, " held ", then.size(), " elements when it was audited, now ",
                      now.size(), "; from element ", was - then.begin(), " on it was ",
                      was == then.end() ? "at its end" : absl::StrCat(*was), ", and is ",
                      is == now.end() ? "at its end" : absl::StrCat(*is));
}

}  // namespace lockstep::testing_support
