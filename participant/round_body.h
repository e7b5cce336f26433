// The bytes that stand for a round on disk: lockstep.v1.RoundRecord, in a prepare record and in a
// redo block.
#ifndef LOCKSTEP_PARTICIPANT_ROUND_BODY_H_
#define LOCKSTEP_PARTICIPANT_ROUND_BODY_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/branch.h"

namespace lockstep::v1 {
class Branch;
class PrepareRequest;
}  // namespace lockstep::v1

namespace lockstep::participant {

struct RecordedBranch {
  Branch branch;  // want_rows is false and time_left infinite
  VoteKind vote = VoteKind::kNo;
  uint64_t digest = 0;
};

// A RoundRecord whose votes are filled in after it was encoded: a branch is encoded once, before
// anything of it runs, and what the votes add has a fixed size. A value; any one thread at a time.
class RoundBody {
 public:
  RoundBody() = default;
  RoundBody(const std::string& cluster_id, const std::string& node_id);

  // All branches of a request, in order, each with the vote NO. A branch that would make the body
  // larger than `capacity` stands there without its statements: fits() is false, and it must not
  // be voted YES.
  static RoundBody Encode(const std::string& cluster_id, const std::string& node_id,
                          const v1::PrepareRequest& request, size_t capacity);
  // What bytes() was when it was written.
  static absl::StatusOr<RoundBody> Parse(std::string_view bytes);

  size_t size() const { return entries_.size(); }
  bool fits(size_t index) const { return entries_[index].fits; }
  // Whether no body, not even of its own, has room for the branch. Only if !fits().
  bool too_large(size_t index) const { return entries_[index].too_large; }

  void SetVote(size_t index, VoteKind vote, uint64_t digest);
  VoteKind vote(size_t index) const;

  // The whole record. Lives until the body is changed.
  std::string_view bytes() const { return bytes_; }
  // How many of the first `cut` branches have the vote YES.
  size_t KeptBy(size_t cut) const;
  // The body of the redo block of a cut: the YES branches among the first `cut`.
  std::string Kept(size_t cut) const;

 private:
  struct Entry {
    size_t begin = 0;
    size_t end = 0;
    bool fits = true;
    bool too_large = false;
  };
  void Append(const v1::Branch& branch, size_t branch_bytes, VoteKind vote, uint64_t digest);

  std::string bytes_;
  size_t header_ = 0;
  std::vector<Entry> entries_;
};

// The branches of a body, ready to run again.
absl::StatusOr<std::vector<RecordedBranch>> DecodeBranches(std::string_view bytes);

}  // namespace lockstep::participant

#endif  // LOCKSTEP_PARTICIPANT_ROUND_BODY_H_
