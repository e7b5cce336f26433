// What the coordinator knows of the clients' request_ids (rules R18, R19).
#ifndef LOCKSTEP_COORDINATOR_PROTOCOL_REQUEST_TABLE_H_
#define LOCKSTEP_COORDINATOR_PROTOCOL_REQUEST_TABLE_H_

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"
#include "absl/time/time.h"
#include "common/round_id.h"
#include "coordinator/protocol/types.h"

namespace lockstep::coordinator {

// A hash of what a request asks for: equal bodies have equal ones.
struct BodyHash {
  uint64_t low = 0;
  uint64_t high = 0;
  friend bool operator==(const BodyHash&, const BodyHash&) = default;
};

// A hash of a request_id, the same in every term of a log. Two ids may share one.
using RequestKey = uint64_t;
using Rounds = absl::InlinedVector<RoundId, 1>;

// An instant by both clocks that tell how long a request_id lasts. What is kept grows old by
// LogClock, which nobody can set; an expire_time is held against the wall clock that it was drawn
// by.
struct RequestTime {
  absl::Time log;
  absl::Time wall;
};

// How long what is known of a request_id is kept, and what is left of it then: tries that expire by
// `expires` are not taken any more, whatever a wall clock says by then. By the clock that took
// them, keep_until is not before `expires`: where one is extended the other is too.
struct Retention {
  absl::Time keep_until = absl::UnixEpoch();  // at least; by LogClock
  absl::Time expires = absl::UnixEpoch();     // the latest expire_time of its tries, if any has one

  bool Covers(const Retention& other) const {
    return keep_until >= other.keep_until && expires >= other.expires;
  }
  void Extend(const Retention& other);
};

// One try of a request_id.
struct RequestTry {
  std::string id;
  RequestKey key = 0;
  BodyHash body;
  uint32_t attempt = 0;  // unset counts as the lowest
  // Not taken from then on.
  absl::Time expires = absl::InfiniteFuture();
  Retention retention;  // what it asks for
};

// Where the answers of committed request_ids are: the decided rounds that have one of a key. About
// 30 bytes an id, which is why it does not have the ids themselves.
class RequestIndex {
 public:
  void Add(RequestKey key, RoundId round);
  // Nothing happens if it is not there.
  void Remove(RequestKey key, RoundId round);
  Rounds Find(RequestKey key) const;
  size_t size() const { return rounds_.size() + shared_.size(); }

 private:
  absl::flat_hash_map<RequestKey, RoundId> rounds_;
  std::multimap<RequestKey, RoundId> shared_;  // further rounds of a key in rounds_
};

// What a new term knows of request_ids.
struct CommittedRequests {
  RequestIndex index;
  // The latest expire_time among answers that are gone.
  absl::Time forgotten_expiry = absl::UnixEpoch();
};

// How long an answer is kept from the decision on, and an attempt from its arrival: the hour that
// is promised, and what a transaction that still waits may take of it.
inline constexpr absl::Duration kAnswerLifetime = absl::Minutes(65);

// What they outlive an expire_time by, so that a wall clock that is a little slow tells its end
// before they are gone.
inline constexpr absl::Duration kExpirySlack = absl::Minutes(5);

struct RequestTableOptions {
  // Tries that ended without a commit and gave an attempt: each is remembered, in about 250 bytes,
  // because a lower attempt must be refused.
  size_t attempts = 1'000'000;
  absl::Duration lifetime = kAnswerLifetime;
  absl::Duration expiry_slack = kExpirySlack;
};

// Decides what becomes of each try: it runs, joins one in flight, is looked up, or is refused.
// Everything but the committed ids is forgotten when the process ends: an attempt that a client
// gave up dies with the process that it was sent to (R19).
//
// What is forgotten before the expire_time that came with it, since a wall clock was ahead when it
// came, leaves that expire_time behind, and no try that expires by then is taken (R18, R19).
//
// One thread uses it.
class RequestTable {
 public:
  enum class Verdict {
    kRun,       // in flight from now on, until End
    kLookUp,    // in flight too; but one of `rounds` may have its answer
    kJoin,      // another try is in flight and tells how it ends
    kReused,    // that one has another body
    kOutdated,  // `seen_attempt` was seen before, and no answer is there, which any try is told
    kNoRoom,    // too many attempts are remembered; what may be committed is looked up all the same
    kExpired,   // its expire_time has passed, or nothing is known any more of such a one
  };
  struct Admission {
    Verdict verdict = Verdict::kRun;
    uint32_t seen_attempt = 0;
    Rounds rounds;
  };
  struct Standing {
    bool in_flight = false;
    TransactionHandle first = 0;  // of those in flight: the one that runs
    bool aborted = false;  // a try ended here without a commit, and no other one is under way
    Rounds rounds;         // one of them may have its answer
  };

  explicit RequestTable(CommittedRequests committed, const RequestTableOptions& options = {});

  // What a try asks for that comes `now`.
  Retention RetentionOf(const RequestTry& its, const RequestTime& now) const;
  // `handle` is that of the try, for End to return if it joins.
  Admission Admit(const RequestTry& its, TransactionHandle handle, const RequestTime& now);
  // The same for one that was looked up and not found: kRun, or why it is refused. Its answer may
  // have been there, and gone meanwhile.
  Admission AdmitUnknown(const RequestTry& its, const RequestTime& now) const;
  // Requires a try in flight: the one that runs, or is looked up.
  TransactionHandle FirstOf(const std::string& id) const { return in_flight_.at(id).first; }
  // Requires a try in flight: those that joined it so far, in the order in which they came.
  const std::vector<TransactionHandle>& JoinedTo(const std::string& id) const {
    return in_flight_.at(id).joined;
  }
  // What the answer of the try in flight is to be kept for that is decided `now`: all that it, and
  // those that joined it so far, ask for. From the decision on; it may have waited for long.
  Retention RetentionOfAnswer(const std::string& id, const RequestTime& now) const;
  // One that joined does not wait any more. Nothing happens if it does not.
  void Leave(const std::string& id, TransactionHandle handle);
  // The try in flight has ended; `round` is the one that committed it, none if it did not. Returns
  // those that joined it, in the order in which they came.
  std::vector<TransactionHandle> End(const RequestTry& its, RoundId round);
  // The same for one that was looked up, not found, and not run: nothing is known of earlier ones.
  std::vector<TransactionHandle> EndUnknown(const RequestTry& its);
  // How it stands with an id. With an attempt above 0, lower ones are refused from now on (as if
  // that attempt had come); false by *has_room if that cannot be remembered.
  Standing Ask(const RequestTry& its, bool* has_room);
  // The answers that a round has of these keys are gone; `expires` was the latest of their tries.
  void Forget(RoundId round, const std::vector<RequestKey>& keys, absl::Time expires);
  // Time passes: attempts whose time is over are forgotten, a bounded number a call.
  void Expire(const RequestTime& now);

  // The latest expire_time of what is not known any more: tries that expire by then are not taken.
  absl::Time forgotten_expiry() const { return forgotten_expiry_; }
  size_t in_flight() const { return in_flight_.size(); }
  size_t attempts() const { return attempts_.size(); }

 private:
  struct InFlight {
    BodyHash body;
    TransactionHandle first = 0;
    Retention retention;
    std::vector<TransactionHandle> joined;
  };
  using ByTime = std::multimap<absl::Time, std::string>;
  struct SeenAttempt {
    uint32_t attempt = 0;
    bool aborted = false;  // a try of it ended here without a commit
    absl::Time expires;    // as Retention::expires
    ByTime::iterator place;
  };

  uint32_t SeenAttemptOf(const std::string& id) const;
  Retention SeenRetentionOf(const std::string& id) const;
  bool Remember(const RequestTry& its);
  void ForgetAttempt(const std::string& id);
  bool IsExpired(const RequestTry& its, const RequestTime& now) const {
    return its.expires <= std::max(now.wall, forgotten_expiry_);
  }

  const RequestTableOptions options_;
  RequestIndex committed_;
  absl::Time forgotten_expiry_;  // the latest expire_time of what was known, and is not any more
  absl::flat_hash_map<std::string, InFlight> in_flight_;
  absl::flat_hash_map<std::string, SeenAttempt> attempts_;
  ByTime attempts_by_time_;
};

}  // namespace lockstep::coordinator

#endif  // LOCKSTEP_COORDINATOR_PROTOCOL_REQUEST_TABLE_H_
