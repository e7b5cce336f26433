// How the engine meets its coordinator: the handshake (rule R22).
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/failpoint.h"
#include "common/logging.h"
#include "participant/engine.h"
#include "participant/errors.h"
#include "participant/storage/own_tables.h"

namespace lockstep::participant {
namespace {

std::string NameOfRole(int role) {
  if (role == static_cast<int>(NodeRole::kMaster)) return "MASTER";
  return role == static_cast<int>(NodeRole::kBackup) ? "BACKUP" : "unset";
}

}  // namespace

// The identity comes first: a stranger's term must not be obeyed.
std::optional<Error> Engine::IdentityError(const FenceCall& call) const {
  const NodeIdentity& name = options_.name;
  const Identity& stored = store_->identity();
  if (call.log_id.empty()) return NotMeantForThisNode("log_id", "", stored.log_id, name);
  if (call.database != name.database) {
    return NotMeantForThisNode("database", call.database, name.database, name);
  }
  if (call.role != static_cast<int>(name.role)) {
    return NotMeantForThisNode("role", NameOfRole(call.role),
                               NameOfRole(static_cast<int>(name.role)), name);
  }
  if (call.data_format != kDataFormat) {
    return NotMeantForThisNode("data_format", absl::StrCat(call.data_format),
                               absl::StrCat(kDataFormat), name);
  }
  if (call.replicas == 0) return NotMeantForThisNode("replicas", "0", "1 or more", name);
  if (stored.log_id.empty()) return std::nullopt;
  if (call.log_id != stored.log_id) {
    return NotMeantForThisNode("log_id", call.log_id, stored.log_id, name);
  }
  const bool has_data = !protocol_.state().applied.is_none() || !protocol_.state().round.is_none();
  if (call.replicas != stored.replicas && has_data) {
    return NotMeantForThisNode("replicas", absl::StrCat(call.replicas),
                               absl::StrCat(stored.replicas), name);
  }
  return std::nullopt;
}

// What no round brought, local transactions did, on this node alone.
std::optional<Error> Engine::DataError(const FenceCall& call) const {
  const State& state = protocol_.state();
  if (call.replicas == 1 || !state.applied.is_none() || !state.round.is_none()) return std::nullopt;
  const absl::StatusOr<bool> has_data = HasClientSchema(store_->writer());
  if (!has_data.ok()) return FromStorage(has_data.status(), "read its schema", options_.name);
  if (!*has_data) return std::nullopt;
  return HasDataOfItsOwn(call.replicas, options_.name);
}

std::optional<Error> Engine::StoreIdentity(const FenceCall& call) {
  const Identity& stored = store_->identity();
  const bool same =
      stored.log_id == call.log_id && stored.role == call.role && stored.replicas == call.replicas;
  if (same || !protocol_.state().round.is_none()) return std::nullopt;
  const absl::Status status = store_->SetIdentity(call.log_id, call.role, call.replicas);
  if (!status.ok()) return FromStorage(status, "store its identity", options_.name);
  Failpoint("set_up_identity");
  protocol_.Identified(call.replicas > 1);
  Log(LogLevel::kInfo, "met its coordinator",
      {{"log_id", call.log_id}, {"term", call.target.term}, {"replicas", call.replicas}});
  return std::nullopt;
}

void Engine::On(FenceMessage& message) {
  Failpoint("fence_arrived");
  const FenceCall& call = message.call;
  if (std::optional<Error> stranger = IdentityError(call)) return message.done(*stranger);
  if (std::optional<Error> unequal = DataError(call)) return message.done(*unequal);
  const Decision decision = protocol_.Fence(call.target.term, call.boot_id, call.earlier_boot_ids);
  if (decision.action == Action::kRefuse) {
    return message.done(FenceRefusedBy(decision.refusal, protocol_.state(), call, options_.name));
  }
  if (decision.persist_term) {
    const absl::Status status = store_->PersistTerm(*decision.persist_term, call.boot_id);
    if (!status.ok()) {
      return message.done(FromStorage(status, "make the term durable", options_.name));
    }
    protocol_.TermPersisted(*decision.persist_term, call.boot_id);
  }
  if (std::optional<Error> failed = StoreIdentity(call)) return message.done(*failed);
  Publish();
  message.done(Ok());
  Failpoint("fence_answered");
}

}  // namespace lockstep::participant
