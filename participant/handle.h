// How the rest of the process asks a participant for something.
#ifndef LOCKSTEP_PARTICIPANT_HANDLE_H_
#define LOCKSTEP_PARTICIPANT_HANDLE_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "common/error.h"
#include "participant/calls.h"
#include "participant/node_report.h"

namespace lockstep::participant {

namespace internal {
struct Core;
}  // namespace internal

// A name for one participant of this process; cheap to copy. Any thread; no call blocks. Each
// answers exactly once: on the actor's or a reader's thread, or inside the call when it is refused.
// Local transactions, queries and health checks share the clients' places (QUEUE_FULL); calls of
// two-phase commit have places of their own. After Participant::Stop everything answers
// SHUTTING_DOWN.
class ParticipantHandle {
 public:
  explicit ParticipantHandle(std::shared_ptr<internal::Core> core) : core_(std::move(core)) {}

  const NodeIdentity& name() const;
  // What it holds at this moment.
  NodeReport Report() const;
  // As ReportBoard::WatchServing.
  void WatchServing(std::function<void(bool serving)> watcher) const;

  void CheckHealth(Done<Health> done) const;
  // Durable when answered.
  void Execute(LocalCall call, Done<std::vector<StatementResult>> done) const;
  void Query(QueryCall call, Done<QueryRows> done) const;

  // Two-phase commit. A wrong cluster, node or an older term is refused. Report() inside `done`
  // tells what the answer left.
  void Prepare(PrepareCall call, Done<Votes> done) const;
  void Commit(CommitCall call, Done<Ok> done) const;
  void Rollback(RollbackCall call, Done<Ok> done) const;
  void Fence(FenceCall call, Done<Ok> done) const;
  void Read(ReadCall call, Done<QueryRows> done) const;
  // Nothing changes, so it needs no turn of the actor: whether it may be answered with Report().
  std::optional<Error> Status(const StatusCall& call) const;

 private:
  std::optional<Error> WrongTarget(const Target& target) const;
  Error NoPlace(const char* where, size_t places) const;
  void QueryOfCoordinator(QueryCall call, Done<QueryRows> done) const;
  template <typename TheMessage>
  void Push(TheMessage message) const;

  std::shared_ptr<internal::Core> core_;
};

}  // namespace lockstep::participant

#endif  // LOCKSTEP_PARTICIPANT_HANDLE_H_
