// A participant without a network or a database: it votes as the test says.
#ifndef LOCKSTEP_TESTS_COORDINATOR_FAKE_LINK_H_
#define LOCKSTEP_TESTS_COORDINATOR_FAKE_LINK_H_

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/participant_link.h"

namespace lockstep::coordinator {

// What a participant remembers and does; the test holds it, the link only refers to it. Answers
// come inside the call.
struct FakeParticipant {
  // Not there at all: every call fails at once.
  bool is_down = false;
  // Refuses the handshake with this error.
  std::optional<Error> fence_error;
  // The vote on one branch; YES with digest 0 if there is none.
  std::function<v1::BranchVote(const v1::Branch&)> vote;
  // How many votes to leave out of the answer.
  int missing_votes = 0;
  // Keeps Prepare unanswered until Release.
  bool holds_votes = false;
  // What Read answers.
  std::function<Answered<v1::ReadResponse>(const v1::ReadRequest&)> read;

  uint64_t boot_id = 7;
  int64_t applied = 0;
  std::vector<v1::PrepareRequest> prepared;
  std::vector<v1::CommitRequest> committed;
  std::vector<v1::RollbackRequest> rolled_back;
  std::vector<v1::FenceRequest> fenced;
  std::vector<std::function<void()>> held;

  void Release() {
    for (std::function<void()>& answer : std::exchange(held, {})) answer();
  }
  void Fill(v1::NodeReport* report, Term term) const {
    report->set_boot_id(boot_id);
    report->set_applied_round(applied);
    report->set_durable_round(applied);
    report->set_state(v1::STATE_READY);
    report->set_term(term);
  }
};

class FakeLink final : public ParticipantLink {
 public:
  explicit FakeLink(FakeParticipant* node) : node_(node) {}

  void Prepare(const grpc::ByteBuffer& bytes, absl::Duration,
               OnAnswer<v1::PrepareResponse> done) override;
  void Commit(const v1::CommitRequest& request, absl::Duration,
              OnAnswer<v1::CommitResponse> done) override;
  void Rollback(const v1::RollbackRequest& request, absl::Duration,
                OnAnswer<v1::RollbackResponse> done) override;
  void Fence(const v1::FenceRequest& request, absl::Duration,
             OnAnswer<v1::FenceResponse> done) override;
  void Status(const v1::StatusRequest& request, absl::Duration, bool waits,
              OnAnswer<v1::StatusResponse> done) override;
  void Read(const v1::ReadRequest& request, absl::Duration,
            OnAnswer<v1::ReadResponse> done) override;
  void CancelAll() override {}

 private:
  template <typename Response>
  bool FailsAsDown(OnAnswer<Response>& done) const;

  FakeParticipant* const node_;
};

}  // namespace lockstep::coordinator

#endif  // LOCKSTEP_TESTS_COORDINATOR_FAKE_LINK_H_
