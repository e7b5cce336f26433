#include "coordinator/reader.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/rpc/convert.h"
#include "coordinator/answers.h"
#include "coordinator/endings.h"

namespace lockstep::coordinator {
namespace {

Error NoReplica(const Engine& engine, DatabaseIndex database) {
  const Cluster::Database& replicas = engine.cluster().database(database);
  const View view = engine.protocol().GetView();
  Error error;
  error.reason = Reason::kParticipantUnavailable;
  error.database = replicas.name;
  error.node_id = engine.cluster().node(replicas.master).node_id;
  error.message = absl::StrCat("No replica of database ", replicas.name, " can answer:");
  for (const ParticipantIndex participant : replicas.replicas) {
    const ParticipantView& node = view.participants[participant];
    if (node.state == ParticipantState::kRecovering) error.reason = Reason::kNotReady;
    absl::StrAppend(&error.message, " ", engine.cluster().node(participant).node_id, " (",
                    node.reason.empty() ? "did not answer" : node.reason, ")");
  }
  absl::StrAppend(&error.message, "; try again when GetClusterStatus shows one READY.");
  return error;
}

// No coordinator that this one follows has given it.
Error VersionUnknown(RoundId version) {
  Error error;
  error.reason = Reason::kRequestInvalid;
  error.field = "min_version";
  error.message = absl::StrCat(
      "min_version ", version.value(),
      " is not one that this cluster has reached: it "
      "would be of the coordinator's term ",
      version.term(), ", which is still to come; take it from the answer of a transaction.");
  return error;
}

// Whether another replica may do better.
bool IsWorthAnother(const FailedCall& failed) {
  return failed.failure == CallFailure::kUnavailable ||
         failed.failure == CallFailure::kTermOutdated ||
         (failed.failure == CallFailure::kRefused &&
          (failed.error.reason == Reason::kNotReady ||
           failed.error.reason == Reason::kShuttingDown ||
           failed.error.reason == Reason::kQueueFull));
}

Error AsReadError(FailedCall failed, const ClusterNode& node) {
  Error error = std::move(failed.error);
  if (failed.failure == CallFailure::kTermOutdated) {
    // Terms mean nothing to a client, and this coordinator is about to end.
    error.reason = Reason::kNotReady;
    error.message = absl::StrCat("Node ", node.node_id,
                                 " follows a later run of the coordinator than the one that was "
                                 "asked; try again.");
  }
  error.node_id = node.node_id;
  error.database = node.database;
  return error;
}

// One read on its way. Shared by the calls that it waits for.
class OneRead : public std::enable_shared_from_this<OneRead> {
 public:
  OneRead(Coordinator* coordinator, DatabaseIndex database, v1::ReadRequest request,
          absl::Duration timeout, OnRead done)
      : coordinator_(coordinator),
        database_(database),
        request_(std::move(request)),
        least_round_(request_.least_round()),
        deadline_(coordinator->clock().MonotonicNow() + timeout),
        done_(std::move(done)) {}

  void Try() {
    std::optional<Error> refused =
        coordinator_->Run([self = shared_from_this()](Engine& engine) { self->Send(engine); });
    if (refused) done_(*std::move(refused));
  }

 private:
  void Send(Engine& engine) {
    const RoundId version = RoundId::FromValue(least_round_);
    if (version.term() > engine.term()) return done_(VersionUnknown(version));
    const std::optional<ReadRoute> route = NextRoute(engine);
    if (!route) return done_(last_error_ ? *std::move(last_error_) : NoReplica(engine, database_));
    const absl::Duration left = deadline_ - coordinator_->clock().MonotonicNow();
    tried_.push_back(route->participant);
    *request_.mutable_target() = engine.TargetOf(route->participant);
    request_.set_least_round(std::max(least_round_, route->least_round.value()));
    rpc::ToProto(std::max(left, absl::ZeroDuration()), request_.mutable_timeout());
    engine.link(route->participant)
        .Read(request_, left,
              [self = shared_from_this(),
               participant = route->participant](Answered<v1::ReadResponse> answer) {
                self->TakeAnswer(participant, std::move(answer));
              });
  }

  std::optional<ReadRoute> NextRoute(const Engine& engine) const {
    for (const ParticipantIndex replica : engine.cluster().database(database_).replicas) {
      if (std::find(tried_.begin(), tried_.end(), replica) != tried_.end()) continue;
      const std::optional<ReadRoute> route = engine.protocol().RouteReadTo(replica);
      if (route) return route;
    }
    return std::nullopt;
  }

  void TakeAnswer(ParticipantIndex participant, Answered<v1::ReadResponse> answer) {
    if (!answer.failed) return done_(ReadAnswer{participant, std::move(answer.response)});
    const bool another = IsWorthAnother(*answer.failed);
    last_error_ = AsReadError(*std::move(answer.failed), coordinator_->cluster().node(participant));
    if (!another) return done_(*std::move(last_error_));
    Try();
  }

  Coordinator* const coordinator_;
  const DatabaseIndex database_;
  v1::ReadRequest request_;
  const int64_t least_round_;
  const absl::Duration deadline_;
  OnRead done_;
  std::vector<ParticipantIndex> tried_;
  std::optional<Error> last_error_;
};

// All replicas' versions of one table. Shared by the calls that it waits for.
class VersionsRead : public std::enable_shared_from_this<VersionsRead> {
 public:
  using Done = absl::AnyInvocable<void(Result<v1::GetTableVersionResponse>)>;

  VersionsRead(Coordinator* coordinator, DatabaseIndex database, std::string table,
               absl::Duration timeout, Done done)
      : coordinator_(coordinator),
        database_(database),
        table_(std::move(table)),
        deadline_(coordinator->clock().MonotonicNow() + timeout),
        done_(std::move(done)) {}

  void Try() {
    std::optional<Error> refused =
        coordinator_->Run([self = shared_from_this()](Engine& engine) { self->Send(engine); });
    if (refused) done_(*std::move(refused));
  }

 private:
  struct Replica {
    ParticipantIndex participant;
    std::optional<Error> error;
    int64_t table_version = 0;
    int64_t round = 0;
  };

  void Send(Engine& engine) {
    ++tries_;
    const std::vector<ParticipantIndex>& replicas = engine.cluster().database(database_).replicas;
    std::vector<ReadRoute> routes;
    std::vector<Replica> fresh;
    for (const ParticipantIndex participant : replicas) {
      const std::optional<ReadRoute> route = engine.protocol().RouteReadTo(participant);
      fresh.push_back({.participant = participant, .error = {}});
      if (route) {
        routes.push_back(*route);
      } else {
        fresh.back().error = NoReplica(engine, database_);
      }
    }
    int64_t newest = 0;
    {
      std::lock_guard lock(mutex_);
      replicas_ = std::move(fresh);
      outstanding_ = routes.size();
      newest = newest_round_;
    }
    if (routes.empty()) return Finish();
    for (const ReadRoute& route : routes) SendTo(engine, route, newest);
  }

  void SendTo(Engine& engine, const ReadRoute& route, int64_t least_round) {
    const absl::Duration left = deadline_ - coordinator_->clock().MonotonicNow();
    v1::ReadRequest request;
    *request.mutable_target() = engine.TargetOf(route.participant);
    request.set_least_round(std::max(least_round, route.least_round.value()));
    request.set_version_of_table(table_);
    rpc::ToProto(std::max(left, absl::ZeroDuration()), request.mutable_timeout());
    engine.link(route.participant)
        .Read(request, left,
              [self = shared_from_this(),
               participant = route.participant](Answered<v1::ReadResponse> answer) {
                self->TakeAnswer(participant, std::move(answer));
              });
  }

  void TakeAnswer(ParticipantIndex participant, Answered<v1::ReadResponse> answer) {
    {
      std::lock_guard lock(mutex_);
      for (Replica& replica : replicas_) {
        if (replica.participant == participant) Keep(std::move(answer), &replica);
      }
      if (--outstanding_ > 0) return;
    }
    if (AreAtDifferentRounds() && tries_ < kTries) return Try();
    Finish();
  }

  void Keep(Answered<v1::ReadResponse> answer, Replica* replica) {
    if (answer.failed) {
      replica->error = AsReadError(*std::move(answer.failed),
                                   coordinator_->cluster().node(replica->participant));
      return;
    }
    const v1::ReadResponse& response = answer.response;
    replica->round = response.round();
    if (response.rows_size() == 1 && response.rows(0).values_size() == 1) {
      replica->table_version = response.rows(0).values(0).int_value();
    }
    newest_round_ = std::max(newest_round_, replica->round);
  }

  // Only of those that answered: a wait for the others would be in vain.
  bool AreAtDifferentRounds() const {
    return std::any_of(replicas_.begin(), replicas_.end(), [this](const Replica& replica) {
      return !replica.error && replica.round != newest_round_;
    });
  }

  void Finish() {
    v1::GetTableVersionResponse response;
    bool all_answered = true;
    bool all_equal = true;
    for (const Replica& replica : replicas_) {
      if (replica.error) {
        all_answered = false;
        continue;
      }
      v1::ReplicaTableVersion* version = response.add_participants();
      version->set_node_id(coordinator_->cluster().node(replica.participant).node_id);
      version->set_table_version(replica.table_version);
      version->set_round(replica.round);
      all_equal = all_equal && replica.table_version == response.participants(0).table_version();
    }
    if (response.participants_size() == 0) return done_(*replicas_.front().error);
    if (all_answered && !AreAtDifferentRounds()) response.set_replicas_agree(all_equal);
    done_(std::move(response));
  }

  static constexpr int kTries = 5;

  Coordinator* const coordinator_;
  const DatabaseIndex database_;
  const std::string table_;
  const absl::Duration deadline_;
  Done done_;
  int tries_ = 0;
  // Guards what follows from the first call of a try until its last answer.
  std::mutex mutex_;
  std::vector<Replica> replicas_;
  size_t outstanding_ = 0;
  int64_t newest_round_ = 0;
};

}  // namespace

void ReadFromOne(Coordinator* coordinator, DatabaseIndex database, v1::ReadRequest request,
                 absl::Duration timeout, OnRead done) {
  std::make_shared<OneRead>(coordinator, database, std::move(request), timeout, std::move(done))
      ->Try();
}

void ReadTableVersions(Coordinator* coordinator, DatabaseIndex database, const std::string& table,
                       absl::Duration timeout,
                       absl::AnyInvocable<void(Result<v1::GetTableVersionResponse>)> done) {
  std::make_shared<VersionsRead>(coordinator, database, table, timeout, std::move(done))->Try();
}

}  // namespace lockstep::coordinator
