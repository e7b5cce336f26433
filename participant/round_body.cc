#include "participant/round_body.h"

#include <google/protobuf/io/coded_stream.h>

#include <algorithm>
#include <utility>

#include "common/check.h"
#include "common/rpc/convert.h"
#include "lockstep/v1/record.pb.h"
#include "lockstep/v1/two_phase_commit.pb.h"

namespace lockstep::participant {
namespace {

using google::protobuf::io::CodedOutputStream;

// Keys of the fields of RoundRecord and RecordedBranch: field number << 3 | wire type.
constexpr char kClusterIdKey = 1 << 3 | 2;
constexpr char kNodeIdKey = 2 << 3 | 2;
constexpr char kBranchesKey = 3 << 3 | 2;
constexpr char kBranchKey = 1 << 3 | 2;
constexpr char kVoteKey = 2 << 3 | 0;
constexpr char kDigestKey = 3 << 3 | 1;
// Key and one byte of vote, key and eight bytes of digest; both are written even when zero, so that
// they can be filled in later.
constexpr size_t kVoteBytes = 2 + 9;
// What stands around a branch's own bytes, at most.
constexpr size_t kMostAround = 2 * (1 + 10) + kVoteBytes;

void AppendLength(size_t length, std::string* out) {
  uint8_t buffer[10];
  const uint8_t* end = CodedOutputStream::WriteVarint64ToArray(length, buffer);
  out->append(reinterpret_cast<const char*>(buffer), static_cast<size_t>(end - buffer));
}

void AppendText(char key, const std::string& text, std::string* out) {
  out->push_back(key);
  AppendLength(text.size(), out);
  out->append(text);
}

void WriteVote(char* at, VoteKind vote, uint64_t digest) {
  at[0] = kVoteKey;
  at[1] = static_cast<char>(vote);
  at[2] = kDigestKey;
  CodedOutputStream::WriteLittleEndian64ToArray(digest, reinterpret_cast<uint8_t*>(at + 3));
}

}  // namespace

RoundBody::RoundBody(const std::string& cluster_id, const std::string& node_id) {
  AppendText(kClusterIdKey, cluster_id, &bytes_);
  AppendText(kNodeIdKey, node_id, &bytes_);
  header_ = bytes_.size();
}

void RoundBody::Append(const v1::Branch& branch, size_t branch_bytes, VoteKind vote,
                       uint64_t digest) {
  Entry entry;
  entry.begin = bytes_.size();
  const size_t recorded = 1 + CodedOutputStream::VarintSize64(branch_bytes) + branch_bytes;
  bytes_.push_back(kBranchesKey);
  AppendLength(recorded + kVoteBytes, &bytes_);
  bytes_.push_back(kBranchKey);
  AppendLength(branch_bytes, &bytes_);
  const size_t at = bytes_.size();
  bytes_.resize(at + branch_bytes + kVoteBytes);
  branch.SerializeWithCachedSizesToArray(reinterpret_cast<uint8_t*>(bytes_.data() + at));
  WriteVote(bytes_.data() + at + branch_bytes, vote, digest);
  entry.end = bytes_.size();
  entries_.push_back(entry);
}

RoundBody RoundBody::Encode(const std::string& cluster_id, const std::string& node_id,
                            const v1::PrepareRequest& request, size_t capacity) {
  RoundBody body(cluster_id, node_id);
  body.entries_.reserve(static_cast<size_t>(request.branches_size()));
  std::vector<size_t> sizes;
  sizes.reserve(static_cast<size_t>(request.branches_size()));
  size_t expected = body.header_;
  for (const v1::Branch& branch : request.branches()) {
    sizes.push_back(branch.ByteSizeLong());
    expected += sizes.back() + kMostAround;
  }
  body.bytes_.reserve(std::min(capacity, expected));
  for (int i = 0; i < request.branches_size(); ++i) {
    const v1::Branch& branch = request.branches(i);
    const size_t bytes = sizes[static_cast<size_t>(i)];
    const size_t most = bytes + kMostAround;
    if (body.bytes_.size() + most <= capacity) {
      body.Append(branch, bytes, VoteKind::kNo, 0);
      continue;
    }
    v1::Branch name_only;
    name_only.set_transaction_id(branch.transaction_id());
    body.Append(name_only, name_only.ByteSizeLong(), VoteKind::kNo, 0);
    body.entries_.back().fits = false;
    body.entries_.back().too_large = body.header_ + most > capacity;
  }
  return body;
}

absl::StatusOr<RoundBody> RoundBody::Parse(std::string_view bytes) {
  v1::RoundRecord record;
  if (!record.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return absl::DataLossError("the record of a round cannot be read");
  }
  RoundBody body(record.cluster_id(), record.node_id());
  for (const v1::RecordedBranch& recorded : record.branches()) {
    body.Append(recorded.branch(), recorded.branch().ByteSizeLong(),
                static_cast<VoteKind>(recorded.vote()), recorded.digest());
  }
  return body;
}

void RoundBody::SetVote(size_t index, VoteKind vote, uint64_t digest) {
  LOCKSTEP_CHECK(vote != VoteKind::kYes || fits(index), "a YES needs its statements on disk (R5)");
  WriteVote(bytes_.data() + entries_[index].end - kVoteBytes, vote, digest);
}

VoteKind RoundBody::vote(size_t index) const {
  return static_cast<VoteKind>(bytes_[entries_[index].end - kVoteBytes + 1]);
}

size_t RoundBody::KeptBy(size_t cut) const {
  size_t kept = 0;
  for (size_t i = 0; i < size() && i < cut; ++i) kept += vote(i) == VoteKind::kYes ? 1 : 0;
  return kept;
}

std::string RoundBody::Kept(size_t cut) const {
  std::string kept = bytes_.substr(0, header_);
  for (size_t i = 0; i < size() && i < cut; ++i) {
    if (vote(i) != VoteKind::kYes) continue;
    kept.append(bytes_, entries_[i].begin, entries_[i].end - entries_[i].begin);
  }
  return kept;
}

absl::StatusOr<std::vector<RecordedBranch>> DecodeBranches(std::string_view bytes) {
  v1::RoundRecord record;
  if (!record.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return absl::DataLossError("the branches of a round cannot be read");
  }
  std::vector<RecordedBranch> branches;
  branches.reserve(static_cast<size_t>(record.branches_size()));
  for (v1::RecordedBranch& recorded : *record.mutable_branches()) {
    RecordedBranch branch;
    branch.branch = rpc::FromProto(std::move(*recorded.mutable_branch()), /*want_rows=*/false);
    branch.branch.time_left = absl::InfiniteDuration();
    branch.vote = static_cast<VoteKind>(recorded.vote());
    branch.digest = recorded.digest();
    branches.push_back(std::move(branch));
  }
  return branches;
}

}  // namespace lockstep::participant
