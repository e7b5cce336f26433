// What lists held when they were audited, to be compared later: they are not appended to any more.
#ifndef LOCKSTEP_TESTS_CLUSTER_LIST_ARCHIVE_H_
#define LOCKSTEP_TESTS_CLUSTER_LIST_ARCHIVE_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace lockstep::testing_support {

// Holds `most` lists, whatever comes: above that any one makes room, so that old ones stay among
// them.
class ListArchive {
 public:
  using Elements = std::vector<int64_t>;

  ListArchive(size_t most, uint64_t seed) : most_(most), random_(seed) {}

  void Keep(const std::string& list, Elements elements);
  const std::map<std::string, Elements>& lists() const { return lists_; }
  // What is wrong with a kept list that now holds these; empty if it is as it was.
  std::string Compare(const std::string& list, const Elements& now) const;

 private:
  const size_t most_;
  std::mt19937_64 random_;
  std::map<std::string, Elements> lists_;
};

}  // namespace lockstep::testing_support

#endif  // LOCKSTEP_TESTS_CLUSTER_LIST_ARCHIVE_H_
