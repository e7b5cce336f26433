// The transactions that wait for their participants, and which of them may start now.
#ifndef LOCKSTEP_COORDINATOR_PROTOCOL_QUEUE_H_
#define LOCKSTEP_COORDINATOR_PROTOCOL_QUEUE_H_

#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/time/time.h"
#include "coordinator/protocol/config.h"
#include "coordinator/protocol/event.h"
#include "coordinator/protocol/types.h"

namespace lockstep::coordinator {

// Where the queue keeps a transaction; reused after Release.
using Slot = uint32_t;

struct Transaction {
  TransactionHandle handle = 0;
  absl::InlinedVector<ParticipantIndex, 4> participants;
  uint64_t bytes = 0;
  absl::Duration deadline;
  uint64_t sequence = 0;  // its age: grows with each Submit
  bool used = false;
  bool waiting = false;
  bool parked = false;    // waits for a participant that is not READY
  bool was_sent = false;  // was in a round, and deferred
};

// What one participant can take into its next round.
struct Capacity {
  bool free = false;
  uint32_t transactions = 0;
  uint64_t bytes = 0;
};

// Every participant has a line of the transactions that wait for it, oldest first. A transaction
// may start when it leads the line of each of its participants: so a wide one, once oldest, cannot
// starve. One that needs a participant that is not READY stands in no line, and holds up nobody.
// The cost of starting is that of what starts, whatever else waits.
class AdmissionQueue {
 public:
  AdmissionQueue(size_t participants, QueueCaps caps);

  bool HasRoomFor(uint64_t bytes) const;
  Slot Add(const Submit& submit);
  // Puts deferred transactions (in a round's order) back to their old places.
  void Return(const std::vector<Slot>& slots);
  // Takes it out of the lines; it is not waiting any more.
  void StopWaiting(Slot slot);
  // Requires that it is not waiting.
  void Release(Slot slot);

  // Participants start as not READY.
  void SetReady(ParticipantIndex participant, bool ready);

  // Appends those that start now, oldest first; they are not waiting any more. A participant takes
  // at least one, whatever its capacity.
  void TakeJoining(const std::vector<Capacity>& capacities, std::vector<Slot>* joining);

  // Append waiting transactions, oldest first.
  void CollectWaitingFor(ParticipantIndex participant, std::vector<Slot>* slots) const;
  void CollectWaiting(std::vector<Slot>* slots) const;
  void CollectExpired(absl::Duration now, std::vector<Slot>* slots);

  Transaction& at(Slot slot) { return transactions_[slot]; }
  const Transaction& at(Slot slot) const { return transactions_[slot]; }
  uint64_t waiting() const { return waiting_; }
  uint64_t used() const { return transactions_.size() - unused_.size(); }

 private:
  struct Entry {
    uint64_t sequence = 0;
    Slot slot = 0;
  };
  struct Line {
    std::deque<Entry> entries;  // by sequence; those of transactions that left are skipped
    size_t left = 0;            // how many such there are, about
    bool ready = false;
    // While joining:
    bool blocked = false;  // reserved by an older transaction that cannot start
    uint32_t taken = 0;
    uint64_t taken_bytes = 0;
  };
  using Head = std::pair<uint64_t, ParticipantIndex>;  // sequence, line

  bool InLine(const Entry& entry) const;
  void StartWaiting(Slot slot);
  void Insert(Line* line, Entry entry);
  void Compact(Line* line);
  void RebuildLines();
  const Entry* HeadOf(ParticipantIndex participant);
  void PushHead(ParticipantIndex participant);
  bool CanJoin(const Transaction& transaction, const std::vector<Capacity>& capacities);
  void Join(Slot slot, const std::vector<Capacity>& capacities);

  const QueueCaps caps_;
  std::vector<Transaction> transactions_;
  std::vector<Slot> unused_;
  std::vector<Line> lines_;
  std::vector<Head> heads_;       // a heap, oldest on top
  bool lines_are_stale_ = false;  // readiness changed: rebuild before use
  uint64_t waiting_ = 0;
  uint64_t waiting_bytes_ = 0;
  uint64_t next_sequence_ = 1;
  absl::Duration earliest_deadline_ = absl::InfiniteDuration();  // a lower bound
};

}  // namespace lockstep::coordinator

#endif  // LOCKSTEP_COORDINATOR_PROTOCOL_QUEUE_H_
