#include "coordinator/start_term.h"

#include <algorithm>
#include <utility>

#include "common/failpoint.h"
#include "common/logging.h"

namespace lockstep::coordinator {
namespace {

StartState StartStateOf(Term term, RecoveredState recovered, uint64_t random_seed) {
  StartState start;
  start.term = term;
  for (const RoundId durable : recovered.durable_rounds) {
    // A decision is forgotten only when it is durable everywhere, so this is where those end that
    // the log does not have any more.
    start.participants.push_back({.durable = durable, .last_kept = durable});
  }
  for (const KeptDecision& decision : recovered.open) {
    for (const KeptBranches& kept : decision.kept) {
      RoundId& last = start.participants[kept.participant].last_kept;
      last = std::max(last, decision.round);
    }
  }
  start.kept = std::move(recovered.open);
  start.clock_floor = recovered.clock_floor;
  start.random_seed = random_seed;
  return start;
}

}  // namespace

absl::StatusOr<TermStart> StartTerm(DecisionLog* log, uint64_t random_seed) {
  // In this order (R1, R16): a record that an older term could still add would be missed.
  absl::StatusOr<Term> term = log->NewTerm();
  if (!term.ok()) return term.status();
  Failpoint("term_synced");
  absl::StatusOr<RecoveredState> recovered = log->Recover();
  if (!recovered.ok()) return recovered.status();
  Failpoint("log_is_read");
  Log(LogLevel::kInfo, "the decision log is read",
      {{"term", *term},
       {"log_id", log->log_id()},
       {"open_decisions", recovered->open.size()},
       {"request_ids", recovered->requests.index.size()}});
  TermStart start;
  start.boot_ids = std::move(recovered->boot_ids);
  start.requests = std::move(recovered->requests);
  start.log_time = recovered->log_time;
  if (start.boot_ids.size() != *term) {
    return absl::DataLossError("the decision log lacks a term's run");
  }
  start.state = StartStateOf(*term, *std::move(recovered), random_seed);
  return start;
}

}  // namespace lockstep::coordinator
